// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.stream;

/** What a frame carries. docs/stream-format.md says who sends which kind when. */
public enum FrameKind {
    /** Source: who it is and what it wants to send. {@link Message.Hello}. */
    HELLO(1),
    /** Destination: it is ready to load. {@link Message.Accept}. */
    ACCEPT(2),
    /** Destination: it will not. {@link Message.Failure}. */
    REFUSE(3),
    /** Source, first on a data connection: which migration it is for. {@link Message.Attach}. */
    ATTACH(4),
    /** A piece of a handler's state. */
    DATA(5),
    /** Nothing to say, but alive. */
    PING(6),
    /** Source, last on a data connection or in a file: all has been sent. {@link Message.End}. */
    END(7),
    /** Destination: all has been loaded, and the drivers have accepted it. {@link Message.Timed}. */
    LOADED(8),
    /** Source: it gives the device up; the destination is to run it. */
    COMMIT(9),
    /** Destination: the device runs here. {@link Message.Timed}. */
    RUNNING(10),
    /** Either side, after COMMIT the destination only: it gives the migration up. {@link Message.Failure}. */
    ABORT(11),
    /** Source, on a data connection: something beside the state, opaque like DATA. */
    EXTRA(12),
    /**
     * Source, on a data connection: all initial bytes have been sent, is the destination ready? {@link Message.Ack}.
     */
    ACK_WANTED(13),
    /** Destination: it has loaded all that came before ACK_WANTED, and is ready. {@link Message.Ack}. */
    ACK(14),
    /** Source, on a data connection: what follows is sent while the source is stopped. */
    SWITCHOVER(15),
    /** Source, on a data connection: the handler has more, which can wait until the destination runs. */
    LATER(16),
    /** Destination: it has all that could wait, or says what of it is missing. {@link Message.Complete}. */
    COMPLETE(17),
    /**
     * Source, on a data connection: pages of memory. The payload is a {@link PageTable}; the pages that it lists follow
     * the frame as they are, and its length does not count them.
     */
    PAGES(18),
    /** Source, right behind HELLO in a file: where pages lie, and where the frames go on. {@link Message.Places}. */
    PLACES(19);

    private static final FrameKind[] BY_CODE = new FrameKind[20];

    static {
        for (FrameKind kind : values()) {
            BY_CODE[kind.code] = kind;
        }
    }

    private final int code;

    FrameKind(int code) {
        this.code = code;
    }

    /**
     * Returns the number on the wire.
     *
     * @return 1 to 19
     */
    public int code() {
        return code;
    }

    static FrameKind of(int code) throws StreamException {
        if (code < 1 || code >= BY_CODE.length) {
            throw new StreamException(StreamException.Problem.UNEXPECTED, "no frame has the kind " + code);
        }
        return BY_CODE[code];
    }
}
