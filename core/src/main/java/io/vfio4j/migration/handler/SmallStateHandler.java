// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.migration.Pending;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.StateOutput;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The small states of a monitor's own devices, all of which go while all is stopped: what QEMU registers by
 * {@code vmstate_register}.
 *
 * <p>Both sides have states of the same names. A name that is missing on either side, and a version that cannot be read
 * here, are refused before anything is touched; a state that is not good, when all have come and none is in place. Then
 * they are put into place in this side's order, before COMMIT. The states stay the caller's, and are called on the
 * handler's own thread only. One migration at a time.
 */
public final class SmallStateHandler implements StateHandler {
    private static final String KIND = "small";
    private static final int VERSION = 1;
    private static final String STATES = "states";

    /** Before a state's name: how long that is; behind it: version and length of the fields. */
    private static final int HEADER_BYTES = 2 + 4 + 4;

    private final String name;
    private final Map<String, SmallState> states;
    private final Description description;
    private ByteArrayOutputStream loaded = new ByteArrayOutputStream();

    /**
     * Makes a handler.
     *
     * @param name what ties it to the one at the other side, see {@link StateHandler#name}
     * @param states what it moves, in the order in which the destination puts it into place
     * @throws IllegalArgumentException for a name, version or length out of range, a name that is there twice, or names
     *     that take too much room; the message says which
     */
    public SmallStateHandler(String name, List<? extends SmallState> states) {
        this.name = name;
        this.states = new LinkedHashMap<>();
        Map<String, Long> versions = new LinkedHashMap<>();
        for (SmallState state : states) {
            requireInRange(state);
            if (this.states.put(state.name(), state) != null) {
                throw new IllegalArgumentException(state.name() + ": two states have this name");
            }
            versions.put(state.name(), (long) state.version());
        }
        Map<String, String> attributes = StateList.write(STATES, Description.MAX_ATTRIBUTES, versions);
        if (attributes == null || versions.size() > StateList.MOST) {
            throw new IllegalArgumentException(
                    name + ": the names of its " + versions.size() + " states are too long all in all; "
                            + "number them, as in vcpu0, vcpu1, or divide them among several handlers");
        }
        this.description = new Description(KIND, VERSION, attributes);
    }

    private static void requireInRange(SmallState state) {
        if (!StateList.isName(state.name())) {
            throw new IllegalArgumentException(
                    "a state is called by 1 to 64 letters, digits, dots, dashes and underscores, not " + state.name());
        }
        if (state.oldestVersion() < 1 || state.oldestVersion() > state.version() || state.version() > 999_999_999) {
            throw new IllegalArgumentException(
                    state.name() + ": versions are 1 to 999999999, the oldest one first; not " + state.oldestVersion()
                            + " to " + state.version());
        }
        if (state.maxBytes() < 1 || state.maxBytes() > SmallState.MOST_BYTES) {
            throw new IllegalArgumentException(state.name() + ": a state has at most 1 to " + SmallState.MOST_BYTES
                    + " bytes, not " + state.maxBytes());
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Description description() {
        return description;
    }

    @Override
    public @Nullable String misfit(Description source) {
        String misfit = StateHandler.super.misfit(source);
        if (misfit != null) {
            return misfit;
        }
        Map<String, Long> there = StateList.read(STATES, source.attributes());
        if (there == null) {
            return "the source's list of states cannot be read";
        }
        String misfits = Stream.concat(
                        there.entrySet().stream().map(state -> misfit(state.getKey(), state.getValue())),
                        states.keySet().stream()
                                .filter(state -> !there.containsKey(state))
                                .map(state -> state + " is missing at the source"))
                .filter(text -> !text.isEmpty())
                .collect(Collectors.joining(", "));
        return misfits.isEmpty() ? null : misfits;
    }

    /** Why a state of the source's cannot be loaded here, or an empty text. */
    private String misfit(String state, long version) {
        SmallState here = states.get(state);
        if (here == null) {
            return state + " is missing here";
        }
        if (version >= here.oldestVersion() && version <= here.version()) {
            return "";
        }
        return state + " has version " + version + " at the source, and "
                + (here.oldestVersion() == here.version()
                        ? "version " + here.version() + " is"
                        : "versions " + here.oldestVersion() + " to " + here.version() + " are")
                + " read here";
    }

    /** What the states may have at the most, for they can be read only when all is stopped. */
    @Override
    public void pending(long thresholdBytes, Precision precision, Pending pending) {
        pending.stoppedBytes(mostBytes());
    }

    private long mostBytes() {
        return states.values().stream()
                .mapToLong(state -> HEADER_BYTES + state.name().length() + state.maxBytes())
                .sum();
    }

    @Override
    public void complete(StateOutput out) throws IOException {
        PieceWriter pieces = new PieceWriter(out);
        try {
            for (SmallState state : states.values()) {
                FieldWriter fields = new FieldWriter(state.name(), state.maxBytes());
                state.save(fields);
                ByteBuffer written = fields.written();
                byte[] called = state.name().getBytes(StandardCharsets.US_ASCII);
                pieces.write(ByteBuffer.allocate(HEADER_BYTES + called.length)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putShort((short) called.length)
                        .put(called)
                        .putInt(state.version())
                        .putInt(written.remaining())
                        .flip());
                pieces.write(written);
            }
            pieces.finish();
        } finally {
            pieces.giveBack();
        }
    }

    @Override
    public void loadSetup() {
        loaded = new ByteArrayOutputStream();
    }

    /** A peer is not trusted: it cannot have more kept here than the states may have. */
    @Override
    public void load(PooledBuffer chunk) throws IOException {
        if (loaded.size() + (long) chunk.length() > mostBytes()) {
            throw new IOException("the states are longer than the " + mostBytes() + " bytes that they may have here");
        }
        byte[] bytes = new byte[chunk.length()];
        chunk.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + bytes.length)
                .get(bytes);
        loaded.writeBytes(bytes);
    }

    @Override
    public void loadFinish() throws IOException {
        Map<String, SmallState.Loaded> good = new LinkedHashMap<>();
        ByteBuffer from = ByteBuffer.wrap(loaded.toByteArray()).order(ByteOrder.LITTLE_ENDIAN);
        while (from.hasRemaining()) {
            check(from, good);
        }
        for (String state : states.keySet()) {
            if (!good.containsKey(state)) {
                throw new IOException(state + " did not come");
            }
        }
        for (String state : states.keySet()) {
            SmallState.Loaded checked = good.get(state);
            if (checked != null) {
                checked.apply();
            }
        }
    }

    private void check(ByteBuffer from, Map<String, SmallState.Loaded> good) throws IOException {
        int length = from.remaining() < HEADER_BYTES ? -1 : Short.toUnsignedInt(from.getShort());
        if (length < 0 || from.remaining() < length + 2 * Integer.BYTES) {
            throw new IOException("what came ends within a state's header");
        }
        byte[] called = new byte[length];
        from.get(called);
        String state = new String(called, StandardCharsets.US_ASCII);
        int version = from.getInt();
        int bytes = from.getInt();
        SmallState here = StateList.isName(state) ? states.get(state) : null;
        if (here == null) {
            throw new IOException("a state came that is not known here"
                    + (StateList.isName(state) ? ": " + state : ", under a name that is none"));
        }
        if (good.containsKey(state)) {
            throw new IOException(state + " came twice");
        }
        String misfit = misfit(state, version);
        if (!misfit.isEmpty()) {
            throw new IOException(misfit);
        }
        if (bytes < 0 || bytes > here.maxBytes() || bytes > from.remaining()) {
            throw new IOException(state + ": it has " + Integer.toUnsignedString(bytes) + " bytes, of which "
                    + from.remaining() + " came and " + here.maxBytes() + " are allowed here");
        }
        FieldReader fields = new FieldReader(
                state, version, from.slice(from.position(), bytes).order(ByteOrder.LITTLE_ENDIAN));
        SmallState.Loaded checked = here.load(fields);
        fields.requireAllRead();
        good.put(state, checked);
        from.position(from.position() + bytes);
    }

    @Override
    public void discard() {
        loaded = new ByteArrayOutputStream();
    }

    @Override
    public void cleanup() {
        loaded = new ByteArrayOutputStream();
    }
}
