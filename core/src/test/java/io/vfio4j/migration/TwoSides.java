// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.LibC;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.transport.TransportAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Both ends of a migration of any handlers, in this JVM, over a Unix socket or what else each is told. */
public final class TwoSides {
    final RecordingVm sourceVm = new RecordingVm();
    final RecordingVm destinationVm = new RecordingVm();
    final Recorder sourceEvents = new Recorder();
    final Recorder destinationEvents = new Recorder();
    private final LibC libc;
    private Function<String, TransportAddress> sourceTo;
    private TransportAddress destinationFrom;
    private VirtualMachine sourceMachine = sourceVm;
    private @Nullable OutgoingMigration outgoing;
    private @Nullable IncomingMigration incoming;

    /** How both ends ended: a report or a failure of each. */
    record Outcome(
            @Nullable MigrationReport report,
            @Nullable MigrationException sourceFailure,
            @Nullable LoadReport loadReport,
            @Nullable MigrationException destinationFailure) {

        MigrationReport completed() {
            if (sourceFailure != null || destinationFailure != null) {
                throw new AssertionError(
                        "the migration failed", sourceFailure != null ? sourceFailure : destinationFailure);
            }
            return Objects.requireNonNull(report);
        }

        MigrationException failed() {
            Objects.requireNonNull(destinationFailure, "the destination completed");
            return Objects.requireNonNull(sourceFailure, "the source completed");
        }
    }

    TwoSides(LibC libc, Path folder) {
        this.libc = libc;
        TransportAddress socket = new TransportAddress.Unix(folder.resolve("socket"));
        this.sourceTo = listening -> socket;
        this.destinationFrom = socket;
    }

    /** Sets where the source migrates to, by what the destination has said of where it listens, and it from. */
    TwoSides over(Function<String, TransportAddress> to, TransportAddress from) {
        sourceTo = to;
        destinationFrom = from;
        return this;
    }

    /** Sets the source's virtual machine, instead of one that only records. */
    TwoSides of(VirtualMachine vm) {
        sourceMachine = vm;
        return this;
    }

    /** Migrates between handlers that need nothing but memory, and fails unless both sides complete. */
    public static void migrate(List<? extends StateHandler> from, List<? extends StateHandler> to, Path folder)
            throws Exception {
        new TwoSides(LibC.system(), folder)
                .migrate(from, to, MigrationParameters.DEFAULT)
                .completed();
    }

    OutgoingMigration outgoing() {
        return Objects.requireNonNull(outgoing);
    }

    IncomingMigration incoming() {
        return Objects.requireNonNull(incoming);
    }

    Outcome migrate(List<? extends StateHandler> from, List<? extends StateHandler> to, MigrationParameters parameters)
            throws Exception {
        return migrate(from, parameters, to, parameters);
    }

    Outcome migrate(
            List<? extends StateHandler> from,
            MigrationParameters parametersThere,
            List<? extends StateHandler> to,
            MigrationParameters parametersHere)
            throws Exception {
        OutgoingMigration source = new OutgoingMigration(
                libc, from, sourceMachine, parametersThere, SwitchoverPolicy.STANDARD, sourceEvents);
        IncomingMigration destination =
                new IncomingMigration(libc, to, destinationVm, parametersHere, destinationEvents);
        outgoing = source;
        incoming = destination;
        try (ExecutorService executor = Executors.newSingleThreadExecutor()) {
            Future<LoadReport> loading = executor.submit(() -> {
                try {
                    return destination.run(destinationFrom);
                } finally {
                    destinationEvents.listening.add("over");
                }
            });
            String listening = destinationEvents.listening.take();
            MigrationReport report = null;
            MigrationException failure = null;
            try {
                report = source.run(sourceTo.apply(listening));
            } catch (MigrationException e) {
                failure = e;
                // Where the source gave up before it connected, nobody else comes.
                destination.cancel();
            }
            try {
                return new Outcome(report, failure, loading.get(), null);
            } catch (ExecutionException e) {
                return new Outcome(report, failure, null, (MigrationException) e.getCause());
            } finally {
                sourceEvents.assertNothingWrong();
                destinationEvents.assertNothingWrong();
            }
        }
    }
}
