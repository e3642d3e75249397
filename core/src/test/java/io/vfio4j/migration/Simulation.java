// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.ForwardingLibC;
import io.vfio4j.ffm.LibC;
import io.vfio4j.ffm.vfio.VfioPrecopyInfo;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.migration.OutgoingMigration.Resolution;
import io.vfio4j.migration.SimulatedHandler.Position;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.testing.ScriptedDevice;
import io.vfio4j.testing.ScriptedLibC;
import io.vfio4j.transport.Connection;
import io.vfio4j.transport.Transport;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * One migration of two handlers and a device between two simulated processes, with what goes wrong in it, and the
 * judgement of how it ended.
 */
final class Simulation implements AutoCloseable {
    private static final DeviceIdentity IDENTITY = new DeviceIdentity("mdev:script", "scripted");
    private static final Duration PEER_LIMIT = Duration.ofSeconds(3);
    private static final Duration HANDLER_LIMIT = Duration.ofSeconds(2);
    private static final int DEVICE_BYTES = 10_000;

    /** What is no step of a handler, but a question about it. */
    private static final Set<String> QUESTIONS =
            Set.of("name", "description", "misfit", "peerToPeer", "isRunning", "isActive", "iterates", "cleanup");

    /** What goes wrong before a message is sent. */
    enum NetworkFault {
        CRASH_OF_SOURCE,
        CRASH_OF_DESTINATION,
        CUT,
        SHORT_STALL,
        LONG_STALL,
        STRANGER,
        CANCEL_AT_SOURCE,
        CANCEL_AT_DESTINATION
    }

    /** What goes wrong in a call of a handler. */
    enum HandlerFault {
        FAILS,
        THROWS_ANYTHING,
        IS_SLOW,
        HANGS
    }

    /** One side, and what its handlers and virtual machine go through. */
    private final class Side {
        private final SimulatedProcess process;
        private final SimulatedMachine machine;
        private final ScriptedDevice script = new ScriptedDevice(libc);
        private final VfioDevice device;
        private final List<SimulatedHandler> state = new ArrayList<>();
        private final List<StateHandler> handlers = new ArrayList<>();
        private final List<String> notices = new ArrayList<>();
        private int calls;
        private int faultyCall;
        private HandlerFault fault = HandlerFault.FAILS;
        private boolean handlerFailed;
        private boolean ended;
        private boolean completed;
        private @Nullable MigrationException failure;

        Side(String name, boolean runs) throws IOException {
            process = new SimulatedProcess(name, world, network);
            machine = new SimulatedMachine(world, process, runs);
            if (!runs) {
                script.in("STOP");
            }
            device = VfioDevice.adopt(libc, script.fd(), name, IDENTITY);
            Position position = runs ? Position.RUNNING : Position.EMPTY;
            handlers.add(guarded(new SimulatedHandler("memory", world, machine, position, state)));
            handlers.add(guarded(new VfioDeviceHandler("device0", device)));
            handlers.add(guarded(new SimulatedHandler("small", world, machine, position, state)));
        }

        /** A crashed process's calls have no effect; any call may be the one that fails. */
        private StateHandler guarded(StateHandler handler) {
            return (StateHandler) Proxy.newProxyInstance(
                    Simulation.class.getClassLoader(),
                    new Class<?>[] {StateHandler.class},
                    (proxy, method, arguments) -> call(handler, method, arguments));
        }

        private @Nullable Object call(StateHandler handler, Method method, Object[] arguments) throws Throwable {
            if (!QUESTIONS.contains(method.getName()) && !method.getName().equals("pending")) {
                int number = ++calls;
                world.letOthersRun();
                if (process.hasCrashed()) {
                    throw new IOException("the process has crashed");
                }
                world.note(handler.name() + "." + method.getName());
                if (number == faultyCall) {
                    fail(handler.name() + "." + method.getName());
                }
            }
            try {
                Object result = method.invoke(handler, arguments);
                // Measured on a clock of this world, not of the simulation's.
                return method.getName().equals("rehearse") ? StateHandler.Rehearsal.NOTHING : result;
            } catch (InvocationTargetException e) {
                throw e.getTargetException();
            }
        }

        private void fail(String what) throws IOException {
            world.note(what + " " + fault);
            switch (fault) {
                case FAILS -> {
                    handlerFailed();
                    throw new IOException("simulated: " + what + " fails");
                }
                case THROWS_ANYTHING -> {
                    handlerFailed();
                    throw new AssertionError("simulated: " + what + " throws");
                }
                case IS_SLOW -> world.sleep(100 * SimulatedWorld.MILLI);
                case HANGS -> {
                    handlerFailed();
                    world.sleep(60 * SimulatedWorld.SECOND);
                    throw new IOException("simulated: " + what + " came back");
                }
            }
        }

        private void handlerFailed() {
            handlerFailed = true;
            state.forEach(SimulatedHandler::siblingsMayFail);
        }

        MigrationListener listener() {
            return new MigrationListener() {
                @Override
                public void onNotice(String text) {
                    world.note("notice: " + text);
                    notices.add(text);
                }
            };
        }

        boolean hasNoticed(String text) {
            return notices.stream().anyMatch(notice -> notice.contains(text));
        }

        void close() {
            device.close();
            script.close();
        }
    }

    private final ScriptedLibC libc = new ScriptedLibC();
    private final AtomicInteger mappings = new AtomicInteger();
    private final SimulatedWorld world;
    private final SimulatedNetwork network;
    private final Side source;
    private final Side destination;
    private final OutgoingMigration outgoing;
    private final IncomingMigration incoming;
    private final byte[] deviceState = new byte[DEVICE_BYTES];
    private boolean resolved;

    Simulation(long seed) throws IOException {
        world = new SimulatedWorld(seed);
        network = new SimulatedNetwork(world);
        source = new Side("source", true);
        destination = new Side("destination", false);
        source.machine.other(destination.machine);
        destination.machine.other(source.machine);
        world.random().nextBytes(deviceState);
        source.script.preCopyState = Arrays.copyOf(deviceState, DEVICE_BYTES / 2);
        source.script.stopCopyState = Arrays.copyOfRange(deviceState, DEVICE_BYTES / 2, DEVICE_BYTES);
        source.script.precopyInfo = (request, info) -> {
            VfioPrecopyInfo.INITIAL_BYTES.set(info, 0);
            return 0;
        };
        MigrationParameters parameters = MigrationParameters.builder()
                .chunkBytes(4096)
                .chunks(6)
                .maxRounds(5)
                .whenNotConverging(NotConverging.SWITCH_OVER)
                .peerLimit(PEER_LIMIT)
                .handlerLimit(HANDLER_LIMIT)
                .overlap(Overlap.OFF)
                .build();
        LibC memory = new ForwardingLibC(libc) {
            @Override
            public long mmap(long length, int protection, int flags, int fd, long offset) {
                mappings.incrementAndGet();
                return super.mmap(length, protection, flags, fd, offset);
            }

            @Override
            public int munmap(long address, long length) {
                mappings.decrementAndGet();
                return super.munmap(address, length);
            }
        };
        outgoing = new OutgoingMigration(
                memory,
                source.handlers,
                source.machine,
                parameters,
                SwitchoverPolicy.STANDARD,
                source.listener(),
                source.process);
        incoming = new IncomingMigration(
                memory,
                destination.handlers,
                destination.machine,
                parameters,
                destination.listener(),
                destination.process);
    }

    Simulation with(int message, NetworkFault fault) {
        network.beforeMessage(number -> {
            if (number == message) {
                happens(fault);
            }
        });
        return this;
    }

    Simulation withFaultAtSource(int call, HandlerFault fault) {
        source.faultyCall = call;
        source.fault = fault;
        return this;
    }

    Simulation withFaultAtDestination(int call, HandlerFault fault) {
        destination.faultyCall = call;
        destination.fault = fault;
        return this;
    }

    Simulation withLateInitialData() {
        source.state.getFirst().reinitOnQuiesce();
        return this;
    }

    Simulation withVirtualMachineThatDoesNotStop() {
        source.machine.failStop();
        return this;
    }

    Simulation withVirtualMachineThatDoesNotResumeThere() {
        destination.machine.failResume();
        return this;
    }

    private void happens(NetworkFault fault) {
        world.note(fault.toString());
        switch (fault) {
            case CRASH_OF_SOURCE -> source.process.crash();
            case CRASH_OF_DESTINATION -> destination.process.crash();
            case CUT -> network.cut();
            case SHORT_STALL -> network.stall(SimulatedWorld.SECOND);
            case LONG_STALL -> network.stall(2 * PEER_LIMIT.toNanos());
            case STRANGER -> world.start("stranger", this::comeAsStranger);
            case CANCEL_AT_SOURCE -> outgoing.cancel();
            case CANCEL_AT_DESTINATION -> incoming.cancel();
        }
    }

    private void comeAsStranger() {
        SimulatedProcess process = new SimulatedProcess("stranger", world, network);
        try (Transport transport = process.openTransport()) {
            Connection connection = transport.connect(SimulatedNetwork.ADDRESS, PEER_LIMIT);
            int stream = world.random().nextInt(5);
            FrameChannel channel = new FrameChannel(libc, process, connection, stream);
            try {
                switch (world.random().nextInt(4)) {
                    case 0 -> channel.send(FrameKind.HELLO, new Message.Hello(new UUID(1, 2), 4096, List.of()));
                    case 1 -> channel.send(FrameKind.ATTACH, new Message.Attach(new UUID(1, 2)));
                    case 2 -> channel.send(FrameKind.COMMIT);
                    default -> world.sleep(2 * SimulatedWorld.SECOND);
                }
                channel.awaitClose(PEER_LIMIT);
            } finally {
                channel.free();
            }
        } catch (IOException e) {
            world.note("the stranger is turned away: " + e.getMessage());
        }
    }

    /** Runs it to its end, and judges it. */
    Simulation run() {
        world.start("destination", () -> {
            try {
                incoming.run(SimulatedNetwork.ADDRESS);
                destination.completed = true;
            } catch (MigrationException e) {
                world.note("ends with " + e.getMessage());
                destination.failure = e;
            }
            destination.ended = true;
        });
        world.start("source", () -> {
            try {
                world.await(Long.MAX_VALUE, () -> network.isListening() || destination.ended);
                outgoing.run(SimulatedNetwork.ADDRESS);
                source.completed = true;
            } catch (MigrationException e) {
                world.note("ends with " + e.getMessage());
                source.failure = e;
                if (e.reason() == Reason.IN_DOUBT) {
                    beInDoubt();
                }
            }
            source.ended = true;
        });
        world.run();
        judge();
        return this;
    }

    /** Somebody finds out what the destination does, and says so. */
    private void beInDoubt() {
        require(!source.machine.runs(), "the source runs although it is in doubt");
        world.await(Long.MAX_VALUE, () -> destination.ended);
        if (source.process.hasCrashed()) {
            return;
        }
        resolved = true;
        try {
            outgoing.resolve(destination.machine.ran() ? Resolution.KEEP_STOPPED : Resolution.RESUME_SOURCE);
        } catch (MigrationException e) {
            world.note("cannot be resolved: " + e.getMessage());
            require(source.handlerFailed, "the source cannot be resolved");
        }
    }

    private void judge() {
        require(network.open().isEmpty(), "left open: " + network.open());
        require(mappings.get() == 0, mappings + " buffer pools are left");
        require(source.ended && destination.ended, "one side has not ended");
        if (destination.machine.ran()) {
            require(!source.machine.runs(), "the source runs although the destination did");
            requireWholeState();
        } else if (source.process.hasCrashed()) {
            require(destination.process.hasCrashed() || destination.failure != null, "the destination completed");
        } else {
            require(
                    source.machine.runs()
                            || source.hasNoticed("stays stopped")
                            || source.hasNoticed("could not be")
                            || (resolved && source.handlerFailed),
                    "none runs, and nobody is told");
            require(!source.completed, "the source completed although nobody runs");
        }
        if (source.machine.runs() && !source.handlerFailed) {
            require(
                    source.state.stream().allMatch(state -> state.position() == Position.RUNNING)
                            && source.script.state().equals("RUNNING"),
                    "the source runs, but not all of its handlers do");
        }
        if (!destination.machine.ran()
                && !destination.process.hasCrashed()
                && !incoming.holdsState()
                && !destination.handlerFailed) {
            require(
                    destination.state.stream().allMatch(state -> state.position() == Position.EMPTY)
                            && !destination.script.state().equals("RESUMING"),
                    "the destination keeps what it has loaded");
        }
        if (!destination.machine.ran() && incoming.holdsState()) {
            require(destination.hasNoticed("held here"), "state is held, and nobody is told");
        }
    }

    private void requireWholeState() {
        for (int i = 0; i < source.state.size(); i++) {
            require(
                    Arrays.equals(
                            source.state.get(i).pages(),
                            destination.state.get(i).pages()),
                    "the state of " + source.state.get(i).name() + " differs");
        }
        require(Arrays.equals(deviceState, destination.script.loaded), "the device's state differs");
    }

    private void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    boolean completed() {
        return source.completed && destination.completed;
    }

    int messages() {
        return network.messages();
    }

    int callsAtSource() {
        return source.calls;
    }

    int callsAtDestination() {
        return destination.calls;
    }

    long traceHash() {
        return world.traceHash();
    }

    String trace() {
        return world.trace();
    }

    String outcome() {
        return (source.failure == null ? "completed" : source.failure.reason().toString()) + " / "
                + (destination.failure == null
                        ? "completed"
                        : destination.failure.reason().toString());
    }

    @Override
    public void close() {
        source.close();
        destination.close();
    }

    /** Lets a scripted device fail an arc at the source. */
    Simulation withArcThatFails(String target, String stateAfter) {
        source.script.failSet(target, Errno.EIO, stateAfter);
        return this;
    }
}
