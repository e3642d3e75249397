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
import io.vfio4j.transport.TransportException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;

/** One migration between two simulated processes by a {@link Schedule}, and the judgement of how it ended. */
final class Simulation implements AutoCloseable {
    private static final int DEVICE_BYTES = 10_000;

    /** A device that goes into ERROR fails twice, before and at its reset, and another call may fail once. */
    private static final int MOST_TRIES = 4;

    private final Schedule schedule;
    private final Faults faults;
    private final SimulatedWorld world;
    private final SimulatedNetwork network;
    private final SimulatedSide source;
    private final SimulatedSide destination;
    private final byte[] deviceState = new byte[DEVICE_BYTES];

    Simulation(Schedule schedule) throws IOException {
        this.schedule = schedule;
        faults = new Faults(schedule.faults());
        world = new SimulatedWorld(schedule.seed());
        network = new SimulatedNetwork(world, this::message);
        source = side("source", Place.SOURCE_CALL, Place.SOURCE_DEVICE, true);
        destination = side("destination", Place.DESTINATION_CALL, Place.DESTINATION_DEVICE, false);
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

    private SimulatedSide side(String name, Place call, Place deviceCall, boolean runs) throws IOException {
        SimulatedProcess process = new SimulatedProcess(name, world, network);
        return new SimulatedSide(process, world, faults, call, deviceCall, runs);
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
            case DUPLICATE_BEFORE -> comeAgain(true);
            case DUPLICATE_AFTER -> comeAgain(false);
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

    /** A connection of the source, or its next one, is there twice: the copy says the same first words, and no more. */
    private void comeAgain(boolean first) {
        SimulatedProcess process = new SimulatedProcess("duplicate", world, network);
        Connection connection = network.squeezeIn(process, first);
        int number = world.random().nextInt(network.firstWords().size() + 1);
        if (connection == null) {
            world.note("nobody listens any more");
            return;
        }
        world.start("duplicate", () -> {
            try (connection) {
                world.await(
                        world.now() + SimulatedSide.PEER_LIMIT.toNanos(),
                        () -> network.firstWords().size() > number);
                if (network.firstWords().size() > number) {
                    connection.write(ByteBuffer.wrap(network.firstWords().get(number)));
                }
                ByteBuffer scratch = ByteBuffer.allocate(1 << 10);
                while (!connection.atEnd(scratch.clear())) {
                    world.note("the duplicate is answered");
                }
            } catch (TransportException e) {
                world.note("the duplicate ends: " + e.getMessage());
            }
        });
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

    /** Somebody finds out what the destination does, and says so, again where that fails. */
    private void beInDoubt() {
        if (source.machine().runs()) {
            world.fail("the source runs although it is in doubt");
        }
        world.await(Long.MAX_VALUE, destination::hasEnded);
        boolean resolved = source.process().hasCrashed();
        for (int i = 0; i < MOST_TRIES && !resolved; i++) {
            resolved = source.resolve(destination.machine().ran() ? Resolution.KEEP_STOPPED : Resolution.RESUME_SOURCE);
        }
        if (!resolved && !source.device().isLost()) {
            world.fail("the source cannot be resolved");
        }
    }

    /** Says what is wrong with how it ended, if anything is. */
    void judge() {
        require(network.open().isEmpty(), "left open: " + network.open());
        require(source.mapped() == 0 && destination.mapped() == 0, "memory is left");
        require(source.hasEnded() && destination.hasEnded(), "one side has not ended");
        require(source.tellsTheTruth(), "the source says " + source.outcome());
        require(destination.tellsTheTruth(), "the destination says " + destination.outcome());
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
                            || (source.isInDoubt() && source.device().isLost()),
                    "none runs, and nobody is told");
            require(!source.completed(), "the source completed although nobody runs");
        }
        if (source.machine().runs() && !source.handlerFailed()) {
            require(
                    source.state().stream().allMatch(state -> state.position() == Position.RUNNING),
                    "the source runs, but not all of its handlers do");
            require(
                    source.device().runs()
                            || source.hasNoticed("could not be taken back")
                            || !source.device().wasMoved(),
                    "the source runs without its device, and nobody is told");
        }
        require(
                !source.device().wasReset()
                        || source.hasNoticed("what it held is lost")
                        || source.hasNoticed("it was reset instead"),
                "a device is reset, and nobody is told");
        if (schedule.isOnly(Kind.DEVICE_CALL_FAILS)) {
            require(source.machine().runs() || destination.machine().runs(), "a call that fails stops the machine");
            require(!source.device().wasReset(), "a call that fails costs the state");
        }
        if (!destination.machine().ran()
                && !destination.process().hasCrashed()
                && !destination.holdsState()
                && !destination.handlerFailed()
                && !destination.hasNoticed("not all of the state could be kept")) {
            require(
                    destination.state().stream().allMatch(state -> state.position() == Position.EMPTY),
                    "the destination keeps what it has loaded");
            require(
                    destination.device().isEmpty() || destination.hasNoticed("could not be discarded"),
                    "the destination's device keeps what it has loaded, and nobody is told");
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
        require(Arrays.equals(deviceState, destination.device().script().loaded), "the device's state differs");
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
