// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.device.DeviceIdentity;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.ffm.vfio.VfioPrecopyInfo;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.MigrationParameters.Overlap;
import io.vfio4j.migration.OutgoingMigration.Resolution;
import io.vfio4j.migration.Schedule.Kind;
import io.vfio4j.migration.Schedule.Place;
import io.vfio4j.migration.SimulatedHandler.Position;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.AfterSwitchover;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.stream.Frame;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A process of a simulation with a virtual machine, two handlers and a device, which saves or loads them; any call of a
 * handler may be the one that fails.
 */
final class SimulatedSide implements AutoCloseable {
    static final Duration PEER_LIMIT = Duration.ofSeconds(3);

    private static final DeviceIdentity IDENTITY = new DeviceIdentity("mdev:script", "scripted");
    private static final Duration HANDLER_LIMIT = Duration.ofSeconds(2);

    /** What is no step of a handler, but a question about it. */
    private static final Set<String> QUESTIONS = Set.of(
            "name", "description", "misfit", "peerToPeer", "isRunning", "isActive", "iterates", "pending", "cleanup");

    private static final MigrationParameters PARAMETERS = MigrationParameters.builder()
            .chunkBytes(4096)
            .chunks(6)
            .maxRounds(5)
            .whenNotConverging(NotConverging.SWITCH_OVER)
            .peerLimit(PEER_LIMIT)
            .handlerLimit(HANDLER_LIMIT)
            .overlap(Overlap.OFF)
            .build();

    /** The chunks, and the messages of a connection for each handler, of the control connection, and of a stranger. */
    private static final long MOST_MEMORY =
            (long) PARAMETERS.chunks() * (PARAMETERS.chunkBytes() + PooledBuffer.HEAD_ROOM)
                    + 5L * 2 * (Frame.MAX_MESSAGE + PooledBuffer.HEAD_ROOM);

    private final SimulatedWorld world;
    private final Faults faults;
    private final Place call;
    private final SimulatedProcess process;
    private final SimulatedMachine machine;
    private final SimulatedDevice device;
    private final VfioDevice opened;
    private final RecycledMemory memory = new RecycledMemory();
    private final List<SimulatedHandler> state = new ArrayList<>();
    private final List<StateHandler> handlers = new ArrayList<>();
    private final List<String> notices = new ArrayList<>();
    private @Nullable OutgoingMigration outgoing;
    private @Nullable IncomingMigration incoming;
    private boolean handlerFailed;
    private boolean cancelled;
    private boolean ended;
    private boolean completed;
    private @Nullable MigrationException failure;
    private List<AfterSwitchover.Missing> missing = List.of();

    SimulatedSide(
            SimulatedProcess process, SimulatedWorld world, Faults faults, Place call, Place deviceCall, boolean runs)
            throws IOException {
        this.world = world;
        this.faults = faults;
        this.call = call;
        this.process = process;
        machine = new SimulatedMachine(world, process, runs);
        device = new SimulatedDevice(world, faults, deviceCall, runs);
        device.script().precopyInfo = (request, info) -> {
            VfioPrecopyInfo.INITIAL_BYTES.set(info, 0);
            return 0;
        };
        opened = VfioDevice.adopt(device, device.script().fd(), process.name(), IDENTITY);
        Position position = runs ? Position.RUNNING : Position.EMPTY;
        handlers.add(guarded(new SimulatedHandler("memory", world, machine, position, state)));
        handlers.add(guarded(new VfioDeviceHandler("device0", opened)));
        handlers.add(guarded(new SimulatedHandler("small", world, machine, position, state)));
    }

    SimulatedProcess process() {
        return process;
    }

    SimulatedMachine machine() {
        return machine;
    }

    List<SimulatedHandler> state() {
        return state;
    }

    /** Sets what the device holds: a half can be read while it runs. */
    void deviceHolds(byte[] contents) {
        device.script().preCopyState = Arrays.copyOf(contents, contents.length / 2);
        device.script().stopCopyState = Arrays.copyOfRange(contents, contents.length / 2, contents.length);
    }

    SimulatedDevice device() {
        return device;
    }

    /** Tells whether a call has failed, so that this side cannot keep its handlers together. */
    boolean handlerFailed() {
        return handlerFailed;
    }

    boolean hasNoticed(String text) {
        return notices.stream().anyMatch(notice -> notice.contains(text));
    }

    /** A crashed process's calls have no effect; any call may be the one that fails. */
    private StateHandler guarded(StateHandler handler) {
        return (StateHandler) Proxy.newProxyInstance(
                SimulatedSide.class.getClassLoader(),
                new Class<?>[] {StateHandler.class},
                (proxy, method, arguments) -> call(handler, method, arguments));
    }

    private @Nullable Object call(StateHandler handler, Method method, Object[] arguments) throws Throwable {
        if (!QUESTIONS.contains(method.getName())) {
            Kind fault = faults.next(call);
            world.letOthersRun();
            if (process.hasCrashed()) {
                throw new IOException("the process has crashed");
            }
            String what = handler.name() + "." + method.getName();
            world.note(what);
            if (fault != null) {
                fail(what, fault);
            }
            if (method.getName().equals("load") && faults.has(Kind.SLOW_LOADING)) {
                world.sleep(20 * SimulatedWorld.MILLI);
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

    private void fail(String what, Kind fault) throws IOException {
        world.note(what + " " + fault);
        switch (fault) {
            case FAILS -> {
                handlerFails();
                throw new IOException("simulated: " + what + " fails");
            }
            case THROWS_ANYTHING -> {
                handlerFails();
                throw new AssertionError("simulated: " + what + " throws");
            }
            case IS_SLOW -> world.sleep(100 * SimulatedWorld.MILLI);
            case HANGS -> {
                handlerFails();
                world.sleep(60 * SimulatedWorld.SECOND);
                throw new IOException("simulated: " + what + " came back");
            }
            default -> throw new IllegalArgumentException(fault + " is no fault of a call");
        }
    }

    private void handlerFails() {
        handlerFailed = true;
        state.forEach(SimulatedHandler::siblingsMayFail);
    }

    /** On a thread of the simulation: saves. */
    void save(TransportAddress to) {
        OutgoingMigration migration = new OutgoingMigration(
                memory, handlers, machine, PARAMETERS, SwitchoverPolicy.STANDARD, listener(), process);
        outgoing = migration;
        try {
            missing = migration.run(to).after().missing();
            completed = true;
        } catch (MigrationException e) {
            failed(e);
        }
    }

    /** On a thread of the simulation: loads. */
    void load(TransportAddress from) {
        IncomingMigration migration = new IncomingMigration(memory, handlers, machine, PARAMETERS, listener(), process);
        incoming = migration;
        try {
            missing = migration.run(from).after().missing();
            completed = true;
        } catch (MigrationException e) {
            failed(e);
        }
        end();
    }

    private void failed(MigrationException e) {
        world.note("ends with " + e.reason() + ": " + e.getMessage());
        failure = e;
    }

    private MigrationListener listener() {
        return new MigrationListener() {
            @Override
            public void onNotice(String text) {
                world.note("notice: " + text);
                notices.add(text);
            }
        };
    }

    /** The handlers of which it says that what could wait is not all at the destination. */
    Set<String> missing() {
        return missing.stream().map(AfterSwitchover.Missing::handler).collect(Collectors.toCollection(TreeSet::new));
    }

    void cancel() {
        cancelled |= (outgoing != null && outgoing.cancel()) || (incoming != null && incoming.cancel());
    }

    /** Tells whether the reason that it gives for its failure can be the true one. */
    boolean tellsTheTruth() {
        if (failure == null || process.hasCrashed()) {
            return true;
        }
        return switch (failure.reason()) {
            case CANCELLED -> cancelled;
            case DEVICE -> handlerFailed || device.hasFailed() || machine.hasFailed();
            default -> true;
        };
    }

    boolean isInDoubt() {
        return failure != null && failure.reason() == Reason.IN_DOUBT;
    }

    /** Says who runs. Returns whether that could be done. */
    boolean resolve(Resolution resolution) {
        world.note("resolved: " + resolution);
        try {
            Objects.requireNonNull(outgoing).resolve(resolution);
            return true;
        } catch (MigrationException e) {
            world.note("cannot be resolved: " + e.getMessage());
            return false;
        }
    }

    void end() {
        ended = true;
    }

    boolean hasEnded() {
        return ended;
    }

    boolean completed() {
        return completed;
    }

    boolean hasFailed() {
        return failure != null;
    }

    /** Tells whether it keeps a state, although it could not run with it. */
    boolean holdsState() {
        return incoming != null && incoming.holdsState();
    }

    /** What it has come to, in a word. */
    String outcome() {
        return failure == null ? "completed" : failure.reason().toString();
    }

    /** Tells whether all memory was given back, and there was never more of it than its parameters allow. */
    boolean keptToItsMemory() {
        return memory.mapped() == 0 && memory.mostMapped() <= MOST_MEMORY;
    }

    @Override
    public void close() {
        opened.close();
        device.close();
    }
}
