// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.StateHandler.Description;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.observe.Phase;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Seed;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What every handler has to do, whatever it moves: a part of a machine arrives whole while it changes, and is as it was
 * at the source when it does not arrive.
 *
 * <p>A subclass says what the part is. Each test fails on leaked fds, threads and buffers.
 */
@ExtendWith(LeakCheck.class)
@SuppressWarnings("exports") // nobody outside of the tests sees it
public abstract class HandlerContract {
    private static final int CHUNK = 8192;

    /** Enough to be cut in every kind of frame, and at the edges. */
    private static final int CUTS = 12;

    private static final MigrationParameters PARAMETERS = MigrationParameters.builder()
            .chunkBytes(CHUNK)
            .downtimeLimit(Duration.ofSeconds(10))
            .peerLimit(Duration.ofSeconds(20))
            .build();

    @TempDir
    private Path folder;

    private final Seed seed = new Seed();

    /** For the handlers' own tests. */
    protected HandlerContract() {}

    /** Makes a part of a machine that runs, and that holds something of everything that it can hold. */
    protected abstract MachinePart filled(Random random);

    /** Makes the part that the state of a {@link #filled} one is loaded into. */
    protected abstract MachinePart empty();

    /** Makes parts that it cannot be loaded into, by what is said of each. */
    protected abstract Map<String, Supplier<MachinePart>> misfits();

    /** The C library that the engine gets. */
    protected LibC libc() {
        return LibC.system();
    }

    /**
     * Tells whether a part that is empty can be compared; false where its contents are undefined until it is loaded.
     */
    protected boolean emptyIsComparable() {
        return true;
    }

    private TwoSides sides(String name) {
        return new TwoSides(libc(), folder)
                .over(
                        told -> new TransportAddress.Unix(folder.resolve(name)),
                        new TransportAddress.Unix(folder.resolve(name)));
    }

    private static TwoSides.Outcome move(TwoSides sides, StateHandler from, StateHandler to) throws Exception {
        return sides.migrate(List.of(from), List.of(to), PARAMETERS);
    }

    /** Moves a part whose guest runs until it is stopped, and compares. */
    private void moveWhileItChanges(MachinePart from, MachinePart to, Random random) throws Exception {
        TwoSides sides = sides("socket");
        Writer writer = new Writer(from, random).drivenBy(sides.sourceVm);
        writer.start();
        try {
            move(sides, from.handler(), to.handler()).completed();
        } finally {
            writer.stop();
        }
        assertThat(to.contents()).as(seed.toString()).isEqualTo(from.contents());
    }

    private void assertStillMoves(MachinePart from) throws Exception {
        try (MachinePart to = empty()) {
            move(sides("again"), from.handler(), to.handler()).completed();
            assertThat(to.contents()).as(seed.toString()).isEqualTo(from.contents());
        }
    }

    @Test
    void shouldArriveWholeThereAndBackWhileItChanges() throws Exception {
        Random random = seed.random();
        try (MachinePart here = filled(random);
                MachinePart there = empty()) {
            moveWhileItChanges(here, there, random);
            there.change(random);
            moveWhileItChanges(there, here, random);
        }
    }

    @Test
    void shouldArriveWholeByWayOfAFile() throws Exception {
        Path file = folder.resolve("state");
        try (MachinePart from = filled(seed.random());
                MachinePart to = empty()) {
            save(from, file);
            load(file, to);

            assertThat(to.contents()).as(seed.toString()).isEqualTo(from.contents());
        }
    }

    private void save(MachinePart from, Path file) throws MigrationException {
        new OutgoingMigration(
                        libc(),
                        List.of(from.handler()),
                        new RecordingVm(),
                        PARAMETERS,
                        SwitchoverPolicy.STANDARD,
                        new Recorder())
                .run(new TransportAddress.File(file));
    }

    private void load(Path file, MachinePart to) throws MigrationException {
        new IncomingMigration(libc(), List.of(to.handler()), new RecordingVm(), PARAMETERS, new Recorder())
                .run(new TransportAddress.File(file));
    }

    @Test
    void shouldRefuseAFileThatIsCutAnywhere() throws Exception {
        Random random = seed.random();
        Path file = folder.resolve("state");
        try (MachinePart from = filled(random)) {
            save(from, file);
        }
        byte[] whole = Files.readAllBytes(file);
        for (long cut : cuts(whole.length, random)) {
            byte[] part = new byte[(int) cut];
            System.arraycopy(whole, 0, part, 0, part.length);
            Files.write(file, part);
            try (MachinePart to = empty()) {
                MigrationException failure = null;
                try {
                    load(file, to);
                } catch (MigrationException e) {
                    failure = e;
                }
                assertThat(failure)
                        .as("cut to %d of %d bytes, %s", cut, whole.length, seed)
                        .isNotNull();
            }
        }
    }

    private static List<Long> cuts(long whole, Random random) {
        List<Long> cuts = new ArrayList<>(List.of(0L, 1L, whole - 1));
        for (int i = 0; i < CUTS; i++) {
            cuts.add(random.nextLong(whole));
        }
        return cuts;
    }

    @Test
    void shouldStayAtTheSourceWhenTheConnectionBreaksAnywhere() throws Exception {
        Random random = seed.random();
        long whole;
        try (MachinePart from = filled(random);
                MachinePart to = empty()) {
            whole = moveOver(Long.MAX_VALUE, sides("unused"), from, to).bytes();
        }
        try (MachinePart from = filled(random)) {
            Object before = from.contents();
            for (long cut : cuts(whole, random)) {
                try (MachinePart to = empty()) {
                    TwoSides sides = sides("unused");
                    TwoSides.Outcome outcome = moveOver(cut, sides, from, to).outcome();
                    assertOneSideHasIt(sides, outcome, from, to, before, "cut at " + cut + " of " + whole + " bytes");
                }
            }
            assertStillMoves(from);
        }
    }

    /** Who runs has all, but for what could wait and is known to be missing; the other one does not run. */
    private void assertOneSideHasIt(
            TwoSides sides, TwoSides.Outcome outcome, MachinePart from, MachinePart to, Object before, String how) {
        boolean runsThere = sides.destinationVm.calls.contains("resume");
        assertThat(sides.sourceVm.runs()).as("%s: who runs; %s", how, seed).isNotEqualTo(runsThere);
        assertThat(from.contents()).as("%s: the source; %s", how, seed).isEqualTo(before);
        LoadReport loaded = outcome.loadReport();
        if (!runsThere) {
            return;
        }
        if (loaded != null && loaded.after().missing().isEmpty()) {
            assertThat(to.contents()).as("%s: the destination; %s", how, seed).isEqualTo(before);
        } else {
            MigrationReport sent = outcome.report();
            assertThat(sent == null || !sent.after().missing().isEmpty())
                    .as("%s: the source knows what is missing; %s", how, seed)
                    .isTrue();
        }
    }

    /** How it ended, over a connection that may break, and how many bytes went there. */
    private record Moved(TwoSides.Outcome outcome, long bytes) {}

    private Moved moveOver(long cut, TwoSides sides, MachinePart from, MachinePart to) throws Exception {
        List<SocketChannel> source = new ArrayList<>();
        List<SocketChannel> destination = new ArrayList<>();
        Path path = folder.resolve("given");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path));
            for (int i = 0; i < 2; i++) {
                source.add(SocketChannel.open(server.getLocalAddress()));
                destination.add(server.accept());
            }
        } finally {
            Files.deleteIfExists(path);
        }
        SocketChannel control = source.getFirst();
        CutChannel data = new CutChannel(source.get(1), control, cut);
        sides.over(
                told -> new TransportAddress.Channels(List.<ByteChannel>of(control, data)),
                new TransportAddress.Channels(destination));
        return new Moved(move(sides, from.handler(), to.handler()), data.written());
    }

    @Test
    void shouldRefuseWhatDoesNotFitBeforeAnythingIsTouched() throws Exception {
        try (MachinePart from = filled(seed.random())) {
            Object before = from.contents();
            for (Map.Entry<String, Supplier<MachinePart>> misfit : misfits().entrySet()) {
                try (MachinePart to = misfit.getValue().get()) {
                    Object there = emptyIsComparable() ? to.contents() : "";
                    TwoSides sides = sides("socket");
                    MigrationException failure =
                            move(sides, from.handler(), to.handler()).failed();

                    assertThat(failure).hasMessageContaining(misfit.getKey());
                    assertThat(failure.reason()).isEqualTo(Reason.REFUSED);
                    assertThat(from.contents()).isEqualTo(before);
                    assertThat(emptyIsComparable() ? to.contents() : "").isEqualTo(there);
                    assertThat(sides.sourceVm.calls).isEmpty();
                    assertThat(sides.destinationVm.calls).isEmpty();
                }
            }
            assertStillMoves(from);
        }
    }

    @Test
    void shouldRefuseAnotherNameKindOrVersion() throws Exception {
        try (MachinePart from = filled(seed.random());
                MachinePart to = empty()) {
            Object before = from.contents();
            StateHandler handler = from.handler();
            Description real = handler.description();
            Map<String, StateHandler> others = Map.of(
                    "other is missing here",
                    disguised(handler, "other", real),
                    "of kind other",
                    disguised(handler, handler.name(), new Description("other", real.version(), real.attributes())),
                    "version " + (real.version() + 1),
                    disguised(
                            handler,
                            handler.name(),
                            new Description(real.kind(), real.version() + 1, real.attributes())));
            for (Map.Entry<String, StateHandler> other : others.entrySet()) {
                MigrationException failure =
                        move(sides("socket"), other.getValue(), to.handler()).failed();

                assertThat(failure.reason()).isEqualTo(Reason.REFUSED);
                assertThat(failure).hasMessageContaining(other.getKey());
                assertThat(from.contents()).isEqualTo(before);
            }
            assertStillMoves(from);
        }
    }

    /** The same handler under another name or description. */
    private static StateHandler disguised(StateHandler handler, String name, Description description) {
        return (StateHandler) Proxy.newProxyInstance(
                StateHandler.class.getClassLoader(),
                new Class<?>[] {StateHandler.class},
                (proxy, method, arguments) -> {
                    try {
                        return switch (method.getName()) {
                            case "name" -> name;
                            case "description" -> description;
                            default -> method.invoke(handler, arguments);
                        };
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    @ParameterizedTest
    @EnumSource(
            value = Phase.class,
            names = {"SETUP", "PRE_COPY", "STOP_COPY", "HANDOVER", "AFTER_SWITCHOVER"})
    void shouldStayOrArriveWhenTheSourceCancels(Phase phase) throws Exception {
        Random random = seed.random();
        try (MachinePart from = filled(random);
                MachinePart to = empty()) {
            Object before = from.contents();
            TwoSides sides = sides("socket");
            sides.sourceEvents.at(phase, () -> sides.outgoing().cancel());
            TwoSides.Outcome outcome = move(sides, from.handler(), to.handler());

            assertOneSideHasIt(sides, outcome, from, to, before, "cancelled in " + phase);
            if (sides.sourceVm.runs()) {
                assertStillMoves(from);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Phase.class,
            names = {"RECEIVING", "HANDOVER", "AFTER_SWITCHOVER"})
    void shouldStayOrArriveWhenTheDestinationCancels(Phase phase) throws Exception {
        try (MachinePart from = filled(seed.random());
                MachinePart to = empty()) {
            Object before = from.contents();
            TwoSides sides = sides("socket");
            sides.destinationEvents.at(phase, () -> sides.incoming().cancel());
            TwoSides.Outcome outcome = move(sides, from.handler(), to.handler());

            assertOneSideHasIt(sides, outcome, from, to, before, "cancelled in " + phase);
            if (sides.sourceVm.runs()) {
                assertStillMoves(from);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {4096, 1 << 20})
    void shouldExpectNoLessThanWhatGoesInTheDowntime(int chunkBytes) throws IOException {
        Random random = seed.random();
        try (MachinePart from = filled(random);
                MachinePart to = empty()) {
            Passage.Account account =
                    Passage.stepByStep(from.handler(), to.handler(), chunkBytes, () -> from.change(random));

            assertThat(account.expected()).as(seed.toString()).isGreaterThanOrEqualTo(account.sent());
            assertThat(to.contents()).as(seed.toString()).isEqualTo(from.contents());
        }
    }
}
