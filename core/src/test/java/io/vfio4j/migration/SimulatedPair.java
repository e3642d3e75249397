// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.OutgoingMigration.Resolution;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationReport;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Both ends of a migration of any handlers, on a simulated clock and over a simulated network: what hangs or waits
 * takes no real time. A doubt is resolved by who knows whether the destination has run.
 */
final class SimulatedPair {
    final SimulatedWorld world;
    final SimulatedMachine sourceVm;
    final SimulatedMachine destinationVm;
    final Recorder sourceEvents = new Recorder();
    final Recorder destinationEvents = new Recorder();
    final List<Resolution> resolutions = new ArrayList<>();
    private final SimulatedNetwork network;
    private final SimulatedProcess source;
    private final SimulatedProcess destination;
    private @Nullable OutgoingMigration outgoing;
    private @Nullable MigrationReport report;
    private @Nullable LoadReport loadReport;
    private @Nullable MigrationException sourceFailure;
    private @Nullable MigrationException destinationFailure;
    private boolean destinationEnded;

    SimulatedPair(long seed) {
        world = new SimulatedWorld(seed);
        network = new SimulatedNetwork(world, () -> {});
        SimulatedDisk disk = new SimulatedDisk(world, new Faults(List.of()), kind -> {});
        source = new SimulatedProcess("source", world, network, disk);
        destination = new SimulatedProcess("destination", world, network, disk);
        sourceVm = new SimulatedMachine(world, source, true);
        destinationVm = new SimulatedMachine(world, destination, false);
        sourceVm.neverRunsBeside(destinationVm);
    }

    /**
     * What a migration may use in which a handler or a virtual machine does not come back.
     *
     * @param limit how long each may take; the other side has a little more patience
     */
    static MigrationParameters.Builder parameters(Duration limit) {
        return MigrationParameters.builder()
                .chunkBytes(4096)
                .chunks(6)
                .maxRounds(5)
                .whenNotConverging(MigrationLimits.NotConverging.SWITCH_OVER)
                .handlerLimit(limit)
                .peerLimit(limit.plusSeconds(1))
                .acceptLimit(limit.plusSeconds(1))
                .overlap(MigrationParameters.Overlap.OFF);
    }

    OutgoingMigration outgoing() {
        return Objects.requireNonNull(outgoing);
    }

    TwoSides.Outcome migrate(
            List<? extends StateHandler> from,
            List<? extends StateHandler> to,
            MigrationParameters parameters,
            SwitchoverPolicy policy) {
        OutgoingMigration sends =
                new OutgoingMigration(LibC.system(), from, sourceVm, parameters, policy, sourceEvents, source);
        IncomingMigration receives =
                new IncomingMigration(LibC.system(), to, destinationVm, parameters, destinationEvents, destination);
        outgoing = sends;
        world.start("destination", () -> {
            try {
                loadReport = receives.run(SimulatedNetwork.ADDRESS);
            } catch (MigrationException e) {
                destinationFailure = e;
            }
            destinationEnded = true;
        });
        world.start("source", () -> {
            try {
                world.await(Long.MAX_VALUE, () -> network.isListening() || destinationEnded);
                report = sends.run(SimulatedNetwork.ADDRESS);
            } catch (MigrationException e) {
                sourceFailure = e;
                if (e.reason() == Reason.IN_DOUBT) {
                    world.await(Long.MAX_VALUE, () -> destinationEnded);
                    resolve(sends);
                }
            }
        });
        try {
            world.run();
        } catch (AssertionError e) {
            throw new AssertionError(e.getMessage() + "\n" + world.trace(), e);
        }
        if (!network.open().isEmpty()) {
            throw new AssertionError("left open: " + network.open());
        }
        return new TwoSides.Outcome(report, sourceFailure, loadReport, destinationFailure);
    }

    private void resolve(OutgoingMigration doubtful) {
        Resolution resolution = destinationVm.ran() ? Resolution.KEEP_STOPPED : Resolution.RESUME_SOURCE;
        resolutions.add(resolution);
        try {
            doubtful.resolve(resolution);
        } catch (MigrationException e) {
            world.fail("a doubt could not be resolved: " + e.getMessage());
        }
    }
}
