// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.stream;

import io.vfio4j.stream.StreamException.Problem;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;

/**
 * The payload of a frame that is not DATA: numbers little-endian, texts as a 16-bit length and UTF-8.
 *
 * <p>A reader takes the fields that it knows and passes over what follows them, so that a later minor change may append
 * fields.
 */
public sealed interface Message {

    /** How long a text can be, in bytes of UTF-8. */
    int MAX_TEXT = 1024;

    /**
     * Writes the payload.
     *
     * @param to a little-endian buffer with room for {@link Frame#MAX_MESSAGE} bytes
     */
    void writeTo(ByteBuffer to);

    /**
     * What the source wants to send: HELLO.
     *
     * @param migration the migration's id, which ties its connections together
     * @param chunkBytes how long a DATA payload is at the most
     * @param offers the handlers, 1 to {@link #MAX_OFFERS}; the first one's stream is 1, the next one's 2, and so on
     */
    record Hello(UUID migration, int chunkBytes, List<Offer> offers) implements Message {
        /** How many handlers a migration can have. */
        public static final int MAX_OFFERS = 32;

        /** Copies the offers. */
        public Hello {
            offers = List.copyOf(offers);
        }

        @Override
        public void writeTo(ByteBuffer to) {
            writeId(to, migration);
            to.putInt(chunkBytes);
            to.putShort((short) offers.size());
            offers.forEach(offer -> offer.writeTo(to));
        }

        /**
         * Reads the payload.
         *
         * @param from a little-endian buffer, set to the payload
         * @return the message
         * @throws StreamException where it is too short, a text is too long or there are too many
         */
        public static Hello readFrom(ByteBuffer from) throws StreamException {
            return read(FrameKind.HELLO, () -> {
                UUID migration = readId(from);
                int chunkBytes = from.getInt();
                int count = readCount(from, "handlers", MAX_OFFERS);
                List<Offer> offers = new ArrayList<>();
                for (int i = 0; i < count; i++) {
                    offers.add(Offer.readFrom(from));
                }
                return new Hello(migration, chunkBytes, offers);
            });
        }
    }

    /**
     * One of the things that a source wants to send: a part of HELLO.
     *
     * @param name what ties it to the destination's handler
     * @param kind what sort of state it is, such as {@code vfio}
     * @param version of that state's format
     * @param attributes what else the destination has to compare, at most {@link #MAX_ATTRIBUTES}
     */
    record Offer(String name, String kind, int version, Map<String, String> attributes) {
        /** How many attributes there can be. */
        public static final int MAX_ATTRIBUTES = 8;

        /** Copies the attributes. */
        public Offer {
            attributes = Map.copyOf(attributes);
        }

        private void writeTo(ByteBuffer to) {
            writeText(to, name);
            writeText(to, kind);
            to.putInt(version);
            to.putShort((short) attributes.size());
            // In one order, so that equal offers are equal bytes.
            new TreeMap<>(attributes).forEach((key, value) -> {
                writeText(to, key);
                writeText(to, value);
            });
        }

        private static Offer readFrom(ByteBuffer from) throws StreamException {
            String name = readText(from);
            String kind = readText(from);
            int version = from.getInt();
            int count = readCount(from, "attributes", MAX_ATTRIBUTES);
            Map<String, String> attributes = new TreeMap<>();
            for (int i = 0; i < count; i++) {
                attributes.put(readText(from), readText(from));
            }
            return new Offer(name, kind, version, attributes);
        }
    }

    /**
     * The destination is ready to load: ACCEPT.
     *
     * @param loadNanos how long {@code → STOP} is likely to take there, in nanoseconds
     * @param resumeNanos how long {@code → RUNNING} is likely to take there, in nanoseconds
     */
    record Accept(long loadNanos, long resumeNanos) implements Message {
        @Override
        public void writeTo(ByteBuffer to) {
            to.putLong(loadNanos).putLong(resumeNanos);
        }

        /**
         * Reads the payload.
         *
         * @param from a little-endian buffer, set to the payload
         * @return the message
         * @throws StreamException where it is too short
         */
        public static Accept readFrom(ByteBuffer from) throws StreamException {
            return read(FrameKind.ACCEPT, () -> new Accept(from.getLong(), from.getLong()));
        }
    }

    /**
     * Which migration a data connection is for: ATTACH. Its handler is the frame's stream.
     *
     * @param migration the id in HELLO
     */
    record Attach(UUID migration) implements Message {
        @Override
        public void writeTo(ByteBuffer to) {
            writeId(to, migration);
        }

        /**
         * Reads the payload.
         *
         * @param from a little-endian buffer, set to the payload
         * @return the message
         * @throws StreamException where it is too short
         */
        public static Attach readFrom(ByteBuffer from) throws StreamException {
            return read(FrameKind.ATTACH, () -> new Attach(readId(from)));
        }
    }

    /**
     * The totals of a data connection: END.
     *
     * @param dataFrames how many DATA frames were sent
     * @param dataBytes the sum of their payloads, in bytes
     */
    record End(long dataFrames, long dataBytes) implements Message {
        @Override
        public void writeTo(ByteBuffer to) {
            to.putLong(dataFrames).putLong(dataBytes);
        }

        /**
         * Reads the payload.
         *
         * @param from a little-endian buffer, set to the payload
         * @return the message
         * @throws StreamException where it is too short
         */
        public static End readFrom(ByteBuffer from) throws StreamException {
            return read(FrameKind.END, () -> new End(from.getLong(), from.getLong()));
        }
    }

    /**
     * An acknowledgement that is wanted or given: ACK_WANTED, ACK.
     *
     * @param stream which handler's, 1 and up
     * @param number the how-manieth of that handler, from 1
     */
    record Ack(int stream, int number) implements Message {
        @Override
        public void writeTo(ByteBuffer to) {
            to.putShort((short) stream).putInt(number);
        }

        /**
         * Reads the payload.
         *
         * @param kind the frame's kind, for the message of an error
         * @param from a little-endian buffer, set to the payload
         * @return the message
         * @throws StreamException where it is too short
         */
        public static Ack readFrom(FrameKind kind, ByteBuffer from) throws StreamException {
            return read(kind, () -> new Ack(Short.toUnsignedInt(from.getShort()), from.getInt()));
        }
    }

    /**
     * A step that the destination has done: LOADED, RUNNING.
     *
     * @param nanos how long it took, in nanoseconds
     */
    record Timed(long nanos) implements Message {
        @Override
        public void writeTo(ByteBuffer to) {
            to.putLong(nanos);
        }

        /**
         * Reads the payload.
         *
         * @param kind the frame's kind, for the message of an error
         * @param from a little-endian buffer, set to the payload
         * @return the message
         * @throws StreamException where it is too short
         */
        public static Timed readFrom(FrameKind kind, ByteBuffer from) throws StreamException {
            return read(kind, () -> new Timed(from.getLong()));
        }
    }

    /**
     * Why a side refuses or gives up: REFUSE, ABORT.
     *
     * @param reason one line for a person; cut to {@link #MAX_TEXT} bytes
     */
    record Failure(String reason) implements Message {
        @Override
        public void writeTo(ByteBuffer to) {
            writeText(to, reason);
        }

        /**
         * Reads the payload.
         *
         * @param kind the frame's kind, for the message of an error
         * @param from a little-endian buffer, set to the payload
         * @return the message
         * @throws StreamException where it is too short or the text too long
         */
        public static Failure readFrom(FrameKind kind, ByteBuffer from) throws StreamException {
            return read(kind, () -> new Failure(readText(from)));
        }
    }

    /**
     * All that could wait until the destination runs is there, but for what is named: COMPLETE.
     *
     * @param nanos how long it took to come and to be loaded, in nanoseconds
     * @param missing which handlers' is not all there, at most {@link Hello#MAX_OFFERS}
     */
    record Complete(long nanos, List<Missing> missing) implements Message {
        /** Copies the list. */
        public Complete {
            missing = List.copyOf(missing);
        }

        @Override
        public void writeTo(ByteBuffer to) {
            to.putLong(nanos).putShort((short) missing.size());
            missing.forEach(each -> {
                to.putShort((short) each.stream);
                writeText(to, each.reason);
            });
        }

        /**
         * Reads the payload.
         *
         * @param from a little-endian buffer, set to the payload
         * @return the message
         * @throws StreamException where it is too short, or names too many
         */
        public static Complete readFrom(ByteBuffer from) throws StreamException {
            return read(FrameKind.COMPLETE, () -> {
                long nanos = from.getLong();
                int count = readCount(from, "handlers", Hello.MAX_OFFERS);
                List<Missing> missing = new ArrayList<>();
                for (int i = 0; i < count; i++) {
                    missing.add(new Missing(Short.toUnsignedInt(from.getShort()), readText(from)));
                }
                return new Complete(nanos, missing);
            });
        }
    }

    /**
     * A handler whose later state is not all there: a part of COMPLETE.
     *
     * @param stream which handler's, 1 and up
     * @param reason why, one line for a person
     */
    record Missing(int stream, String reason) {}

    /**
     * Where the pages of handlers lie in a file: PLACES.
     *
     * @param framesAt where the frames go on, in bytes from the file's beginning
     * @param areas the handlers' areas, one for each handler that has one
     */
    record Places(long framesAt, List<Area> areas) implements Message {
        /** Copies the areas. */
        public Places {
            areas = List.copyOf(areas);
        }

        /**
         * Returns how long the payload is.
         *
         * @param areas how many areas it has
         * @return bytes
         */
        public static int length(int areas) {
            return Long.BYTES + Short.BYTES + areas * Area.BYTES;
        }

        @Override
        public void writeTo(ByteBuffer to) {
            to.putLong(framesAt).putShort((short) areas.size());
            areas.forEach(area ->
                    to.putShort((short) area.stream()).putLong(area.at()).putLong(area.pages()));
        }

        /**
         * Reads the payload.
         *
         * @param from a little-endian buffer, set to the payload
         * @return the message
         * @throws StreamException where it is too short or there are too many
         */
        public static Places readFrom(ByteBuffer from) throws StreamException {
            return read(FrameKind.PLACES, () -> {
                long framesAt = from.getLong();
                int count = readCount(from, "areas", Hello.MAX_OFFERS);
                List<Area> areas = new ArrayList<>();
                for (int i = 0; i < count; i++) {
                    areas.add(new Area(Short.toUnsignedInt(from.getShort()), from.getLong(), from.getLong()));
                }
                return new Places(framesAt, areas);
            });
        }
    }

    /**
     * A part of a file that has a place for each page of a handler: a part of PLACES.
     *
     * @param stream which handler's, 1 and up
     * @param at where it begins, in bytes from the file's beginning
     * @param pages how many pages it has
     */
    record Area(int stream, long at, long pages) {
        private static final int BYTES = Short.BYTES + 2 * Long.BYTES;
    }

    /** A frame that says all by its kind: PING, COMMIT, SWITCHOVER, LATER. */
    record Empty() implements Message {
        @Override
        public void writeTo(ByteBuffer to) {}
    }

    private static void writeId(ByteBuffer to, UUID id) {
        to.putLong(id.getMostSignificantBits()).putLong(id.getLeastSignificantBits());
    }

    private static UUID readId(ByteBuffer from) {
        return new UUID(from.getLong(), from.getLong());
    }

    private static void writeText(ByteBuffer to, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        int length = Math.min(bytes.length, MAX_TEXT);
        // Never within a character: its following bytes are 10xxxxxx.
        while (length < bytes.length && (bytes[length] & 0xC0) == 0x80) {
            length--;
        }
        to.putShort((short) length).put(bytes, 0, length);
    }

    private static String readText(ByteBuffer from) throws StreamException {
        int length = Short.toUnsignedInt(from.getShort());
        if (length > MAX_TEXT) {
            throw new StreamException(Problem.UNEXPECTED, "a text of " + length + " bytes; the limit is " + MAX_TEXT);
        }
        byte[] bytes = new byte[length];
        from.get(bytes);
        String text = new String(bytes, StandardCharsets.UTF_8);
        // The text will be shown on a terminal: a peer must not be able to steer it, be it by the C1 controls, or turn
        // the direction of what follows.
        return Arrays.stream(text.split("\\R"))
                .map(line -> line.replaceAll("[\\p{Cc}\\p{Cf}]", "?"))
                .reduce((a, b) -> a + " " + b)
                .orElse("");
    }

    private static int readCount(ByteBuffer from, String what, int limit) throws StreamException {
        int count = Short.toUnsignedInt(from.getShort());
        if (count > limit) {
            throw new StreamException(Problem.UNEXPECTED, count + " " + what + "; the limit is " + limit);
        }
        return count;
    }

    private static <M> M read(FrameKind kind, Reader<M> reader) throws StreamException {
        try {
            return reader.read();
        } catch (BufferUnderflowException e) {
            throw new StreamException(Problem.UNEXPECTED, "the " + kind + " frame is too short for its fields");
        }
    }

    /**
     * Reads one message.
     *
     * @param <M> its type
     */
    @FunctionalInterface
    interface Reader<M> {
        /**
         * Reads the fields in order.
         *
         * @return the message
         * @throws StreamException where a field is beyond its limit
         */
        M read() throws StreamException;
    }
}
