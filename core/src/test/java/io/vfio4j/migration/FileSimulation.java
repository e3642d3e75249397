// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.migration.Schedule.Kind;
import java.io.IOException;
import java.util.List;

/**
 * A migration into a file, and out of it: whoever finds the file under its name loads it, some at once and some when
 * the source has ended or is in doubt, and when that fails another does to whom nothing happens.
 */
final class FileSimulation extends Simulation {
    private final SimulatedSide another;

    FileSimulation(Schedule schedule) throws IOException {
        super(schedule);
        another = destination("another", new Faults(List.of()));
        another.machine().neverRunsBeside(destination.machine());
    }

    @Override
    void run() {
        world.start("source", () -> {
            source.save(SimulatedDisk.ADDRESS);
            resolveDoubts();
        });
        world.start("destination", () -> {
            boolean impatient = world.random().nextBoolean();
            world.await(
                    Long.MAX_VALUE, () -> source.completed() || source.hasFailed() || (impatient && disk.hasState()));
            if (source.completed()) {
                // What the source has let go of is there, come what may.
                disk.losePower();
            }
            destination.load(SimulatedDisk.ADDRESS);
            if (disk.hasState() && !destination.machine().ran()) {
                another.load(SimulatedDisk.ADDRESS);
            }
            another.end();
        });
        world.run();
    }

    @Override
    void happens(Kind fault) {
        if (fault == Kind.POWER_LOSS) {
            source.process().crash();
            disk.losePower();
        } else {
            super.happens(fault);
        }
    }

    @Override
    boolean allHaveLoaded() {
        return another.hasEnded();
    }

    @Override
    boolean hasMoved() {
        return destination.machine().ran() || another.machine().ran();
    }

    @Override
    void judge() {
        super.judge();
        judgeDestination(another);
        require(!source.completed() || disk.hasState(), "the source has let go of what is not on disk");
        require(!disk.hasState() || hasMoved(), "a file has its name, and is not whole");
        require(source.process().hasCrashed() || disk.names().size() <= 1, "a part of a file is left: " + disk.names());
    }

    @Override
    public void close() {
        super.close();
        another.close();
    }
}
