// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.OutgoingMigration.Resolution;
import io.vfio4j.migration.Schedule.Kind;
import io.vfio4j.migration.Schedule.Place;
import io.vfio4j.migration.SimulatedHandler.Position;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.transport.Connection;
import io.vfio4j.transport.Transport;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;

/** One migration between two simulated processes by a {@link Schedule}, and the judgement of how it ended. */
final class Simulation implements AutoCloseable {
    private static final int DEVICE_BYTES = 10_000;

    private final Faults faults;
    private final SimulatedWorld world;
    private final SimulatedNetwork network;
    private final SimulatedSide source;
    private final SimulatedSide destination;
    private final byte[] deviceState = new byte[DEVICE_BYTES];
    private boolean resolved;

    Simulation(Schedule schedule) throws IOException {
        faults = new Faults(schedule.faults());
        world = new SimulatedWorld(schedule.seed());
        network = new SimulatedNetwork(world, this::message);
        source = new SimulatedSide(
                new SimulatedProcess("source", world, network), world, faults, Place.SOURCE_CALL, true);
        destination = new SimulatedSide(
                new SimulatedProcess("destination", world, network), world, faults, Place.DESTINATION_CALL, false);
        source.machine().other(destination.machine());
        destination.machine().other(source.machine());
        world.random().nextBytes(deviceState);
        source.deviceHolds(deviceState);
        if (faults.has(Kind.LATE_INITIAL_DATA)) {
            source.state().getFirst().reinitOnQuiesce();
        }
        if (faults.has(Kind.MACHINE_DOES_NOT_STOP)) {
            source.machine().failStop();
        }
        if (faults.has(Kind.MACHINE_DOES_NOT_RESUME_THERE)) {
            destination.machine().failResume();
        }
    }

    private void message() {
        Kind fault = faults.next(Place.MESSAGE);
        if (fault != null) {
            happens(fault);
        }
    }

    private void happens(Kind fault) {
        world.note(fault.toString());
        switch (fault) {
            case CRASH_OF_SOURCE -> source.process().crash();
            case CRASH_OF_DESTINATION -> destination.process().crash();
            case CANCEL_AT_SOURCE -> source.cancel();
            case CANCEL_AT_DESTINATION -> destination.cancel();
            case CUT -> network.cut();
            case SHORT_STALL -> network.stall(SimulatedWorld.SECOND);
            case LONG_STALL -> network.stall(2 * SimulatedSide.PEER_LIMIT.toNanos());
            case STRANGER -> world.start("stranger", this::comeAsStranger);
            default -> throw new IllegalArgumentException(fault + " is no fault of a message");
        }
    }

    private void comeAsStranger() {
        SimulatedProcess process = new SimulatedProcess("stranger", world, network);
        try (Transport transport = process.openTransport()) {
            Connection connection = transport.connect(SimulatedNetwork.ADDRESS, SimulatedSide.PEER_LIMIT);
            int stream = world.random().nextInt(5);
            FrameChannel channel = new FrameChannel(LibC.system(), process, connection, stream);
            try {
                switch (world.random().nextInt(4)) {
                    case 0 -> channel.send(FrameKind.HELLO, new Message.Hello(new UUID(1, 2), 4096, List.of()));
                    case 1 -> channel.send(FrameKind.ATTACH, new Message.Attach(new UUID(1, 2)));
                    case 2 -> channel.send(FrameKind.COMMIT);
                    default -> world.sleep(2 * SimulatedWorld.SECOND);
                }
                channel.awaitClose(SimulatedSide.PEER_LIMIT);
            } finally {
                channel.free();
            }
        } catch (IOException e) {
            world.note("the stranger is turned away: " + e.getMessage());
        }
    }

    /** Runs it to its end. */
    void run() {
        world.start("destination", () -> destination.load(SimulatedNetwork.ADDRESS));
        world.start("source", () -> {
            world.await(Long.MAX_VALUE, () -> network.isListening() || destination.hasEnded());
            source.save(SimulatedNetwork.ADDRESS);
            if (source.isInDoubt()) {
                beInDoubt();
            }
            source.end();
        });
        world.run();
    }

    /** Somebody finds out what the destination does, and says so. */
    private void beInDoubt() {
        require(!source.machine().runs(), "the source runs although it is in doubt");
        world.await(Long.MAX_VALUE, destination::hasEnded);
        if (!source.process().hasCrashed()) {
            resolved = true;
            boolean ran = destination.machine().ran();
            boolean done = source.resolve(ran ? Resolution.KEEP_STOPPED : Resolution.RESUME_SOURCE);
            require(done || source.handlerFailed(), "the source cannot be resolved");
        }
    }

    /** Says what is wrong with how it ended, if anything is. */
    void judge() {
        require(network.open().isEmpty(), "left open: " + network.open());
        require(source.mapped() == 0 && destination.mapped() == 0, "memory is left");
        require(source.hasEnded() && destination.hasEnded(), "one side has not ended");
        if (destination.machine().ran()) {
            require(!source.machine().runs(), "the source runs although the destination did");
            requireWholeState();
        } else if (source.process().hasCrashed()) {
            require(destination.process().hasCrashed() || destination.hasFailed(), "the destination completed");
        } else {
            require(
                    source.machine().runs()
                            || source.hasNoticed("stays stopped")
                            || source.hasNoticed("could not be")
                            || (resolved && source.handlerFailed()),
                    "none runs, and nobody is told");
            require(!source.completed(), "the source completed although nobody runs");
        }
        if (source.machine().runs() && !source.handlerFailed()) {
            require(
                    source.state().stream().allMatch(state -> state.position() == Position.RUNNING)
                            && source.deviceState().equals("RUNNING"),
                    "the source runs, but not all of its handlers do");
        }
        if (!destination.machine().ran()
                && !destination.process().hasCrashed()
                && !destination.holdsState()
                && !destination.handlerFailed()) {
            require(
                    destination.state().stream().allMatch(state -> state.position() == Position.EMPTY)
                            && !destination.deviceState().equals("RESUMING"),
                    "the destination keeps what it has loaded");
        }
        if (!destination.machine().ran() && destination.holdsState()) {
            require(destination.hasNoticed("held here"), "state is held, and nobody is told");
        }
    }

    private void requireWholeState() {
        for (int i = 0; i < source.state().size(); i++) {
            SimulatedHandler saved = source.state().get(i);
            SimulatedHandler loaded = destination.state().get(i);
            require(Arrays.equals(saved.pages(), loaded.pages()), "the state of " + saved.name() + " differs");
        }
        require(Arrays.equals(deviceState, destination.loaded()), "the device's state differs");
    }

    private void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    boolean completed() {
        return source.completed() && destination.completed();
    }

    /** How many of these places the migration went through. */
    int count(Place place) {
        return faults.count(place);
    }

    long traceHash() {
        return world.traceHash();
    }

    String trace() {
        return world.trace();
    }

    String outcome() {
        return source.outcome() + " / " + destination.outcome();
    }

    @Override
    public void close() {
        source.close();
        destination.close();
    }
}
