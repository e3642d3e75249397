// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.migration.OutgoingMigration.Resolution;
import io.vfio4j.migration.Schedule.Kind;
import io.vfio4j.migration.Schedule.Place;
import io.vfio4j.migration.SimulatedHandler.Position;
import java.io.IOException;
import java.util.Arrays;

/** One migration between simulated processes by a {@link Schedule}, and the judgement of how it ended. */
abstract class Simulation implements AutoCloseable {
    private static final int DEVICE_BYTES = 10_000;

    /** A device that goes into ERROR fails twice, before and at its reset, and another call may fail once. */
    private static final int MOST_TRIES = 4;

    final SimulatedWorld world;
    final SimulatedNetwork network;
    final SimulatedDisk disk;
    final SimulatedSide source;
    final SimulatedSide destination;
    private final Schedule schedule;
    private final Faults faults;
    private final byte[] deviceState = new byte[DEVICE_BYTES];

    Simulation(Schedule schedule) throws IOException {
        this.schedule = schedule;
        faults = new Faults(schedule.faults());
        world = new SimulatedWorld(schedule.seed());
        network = new SimulatedNetwork(world, this::message);
        disk = new SimulatedDisk(world, faults, this::happens);
        source = new SimulatedSide(process("source"), world, faults, Place.SOURCE_CALL, Place.SOURCE_DEVICE, true);
        destination = destination("destination", faults);
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

    static Simulation of(Schedule schedule) throws IOException {
        return switch (schedule.way()) {
            case CONNECTION -> new ConnectionSimulation(schedule);
            case FILE -> new FileSimulation(schedule);
        };
    }

    final SimulatedProcess process(String name) {
        return new SimulatedProcess(name, world, network, disk);
    }

    /** Makes a side that can load what the source saves, while it does not run. */
    final SimulatedSide destination(String name, Faults itsFaults) throws IOException {
        SimulatedSide side = new SimulatedSide(
                process(name), world, itsFaults, Place.DESTINATION_CALL, Place.DESTINATION_DEVICE, false);
        side.machine().neverRunsBeside(source.machine());
        return side;
    }

    private void message() {
        Kind fault = faults.next(Place.MESSAGE);
        if (fault != null) {
            world.note(fault.toString());
            happens(fault);
        }
    }

    /** Lets something go wrong that is not the disk's own or a handler's. */
    void happens(Kind fault) {
        switch (fault) {
            case CRASH_OF_SOURCE -> source.process().crash();
            case CRASH_OF_DESTINATION -> destination.process().crash();
            case CANCEL_AT_SOURCE -> source.cancel();
            case CANCEL_AT_DESTINATION -> destination.cancel();
            default -> throw new IllegalArgumentException(fault + " does not happen here");
        }
    }

    /** Runs it to its end. */
    abstract void run();

    /** Tells whether all who may load the state have ended. */
    abstract boolean allHaveLoaded();

    /** Tells whether somebody has run with what the source saved. */
    abstract boolean hasMoved();

    /** On the source's thread: somebody finds out who runs, and says so, again where that fails. */
    final void resolveDoubts() {
        if (source.isInDoubt()) {
            if (source.machine().runs()) {
                world.fail("the source runs although it is in doubt");
            }
            world.await(Long.MAX_VALUE, this::allHaveLoaded);
            boolean resolved = source.process().hasCrashed();
            for (int i = 0; i < MOST_TRIES && !resolved; i++) {
                resolved = source.resolve(hasMoved() ? Resolution.KEEP_STOPPED : Resolution.RESUME_SOURCE);
            }
            if (!resolved && !source.device().isLost()) {
                world.fail("the source cannot be resolved");
            }
        }
        source.end();
    }

    /** Says what is wrong with how it ended, if anything is. */
    void judge() {
        require(network.open().isEmpty(), "left open: " + network.open());
        judgeSource();
        judgeDestination(destination);
        if (schedule.isOnly(Kind.DEVICE_CALL_FAILS)) {
            require(source.machine().runs() || hasMoved(), "a call that fails stops the machine");
            require(!source.device().wasReset(), "a call that fails costs the state");
        }
    }

    private void judgeSource() {
        require(source.hasEnded(), "the source has not ended");
        require(source.keptToItsMemory(), "the source has kept memory, or took too much");
        require(source.tellsTheTruth(), "the source says " + source.outcome());
        if (hasMoved()) {
            require(!source.machine().runs(), "the source runs although another did");
        } else if (!source.process().hasCrashed()) {
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
                    source.state().stream().allMatch(state -> state.position() == Position.RUNNING)
                            || source.hasNoticed("stays stopped"),
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
    }

    final void judgeDestination(SimulatedSide side) {
        require(side.hasEnded(), "the destination has not ended");
        require(side.keptToItsMemory(), "the destination has kept memory, or took too much");
        require(side.tellsTheTruth(), "the destination says " + side.outcome());
        if (side.machine().ran()) {
            for (int i = 0; i < source.state().size(); i++) {
                SimulatedHandler saved = source.state().get(i);
                SimulatedHandler loaded = side.state().get(i);
                require(Arrays.equals(saved.pages(), loaded.pages()), "the state of " + saved.name() + " differs");
                judgeLater(side, saved, loaded);
            }
            require(Arrays.equals(deviceState, side.device().script().loaded), "the device's state differs");
        } else if (side.holdsState()) {
            require(side.hasNoticed("held here"), "state is held, and nobody is told");
        } else if (!side.process().hasCrashed()
                && !side.handlerFailed()
                && !side.hasNoticed("not all of the state could be kept")) {
            require(
                    side.state().stream().allMatch(state -> state.position() == Position.EMPTY),
                    "the destination keeps what it has loaded");
            require(
                    side.device().isEmpty() || side.hasNoticed("could not be discarded"),
                    "the destination's device keeps what it has loaded, and nobody is told");
        }
    }

    /** What could wait is there, or both sides that have ended well know that it is not. */
    private void judgeLater(SimulatedSide side, SimulatedHandler saved, SimulatedHandler loaded) {
        if (loaded.laterWhole()) {
            require(Arrays.equals(saved.later(), loaded.later()), "what could wait of " + saved.name() + " differs");
            return;
        }
        boolean known = side.missing().contains(saved.name())
                || side.hasNoticed("what could wait has not come: " + saved.name());
        require(
                known || side.process().hasCrashed() || side.hasFailed(),
                "what could wait is lost, and nobody is told");
        require(
                !source.completed() || source.missing().contains(saved.name()) || schedule.way() == Schedule.Way.FILE,
                "what could wait is lost, and the source thinks that it is there");
    }

    static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    boolean completed() {
        return source.completed() && destination.completed();
    }

    /** How many of these places the migration went through. */
    final int count(Place place) {
        return faults.count(place);
    }

    final long traceHash() {
        return world.traceHash();
    }

    final String trace() {
        return world.trace();
    }

    final String outcome() {
        return source.outcome() + " / " + destination.outcome();
    }

    @Override
    public void close() {
        source.close();
        destination.close();
    }
}
