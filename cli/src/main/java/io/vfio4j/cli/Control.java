// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.migration.MigrationLimits;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.observe.HandlerReport;
import java.io.BufferedReader;
import java.io.IOException;
import java.util.function.Consumer;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Changes a migration while it runs, by lines of standard input. What a line comes to is told on standard error. */
final class Control {
    static final String COMMANDS = "downtime-limit DURATION, max-bandwidth RATE|none, max-rounds N, max-time DURATION, "
            + "max-precopy-bytes SIZE|none, on-no-convergence keep-going|switch-over|give-up, proceed, cancel, status";

    private static final String NONE = "none";

    private final OutgoingMigration migration;
    private final Consumer<String> answers;
    private final boolean pauses;
    private boolean proceeded;

    Control(OutgoingMigration migration, Consumer<String> answers, boolean pauses) {
        this.migration = migration;
        this.answers = answers;
        this.pauses = pauses;
    }

    /** Reads on a thread of its own, which ends with the input or with the process. */
    void start(BufferedReader in) {
        Thread.ofPlatform().name("vfio4j-control-input").daemon().start(() -> read(in));
    }

    void read(BufferedReader in) {
        try {
            String line = in.readLine();
            while (line != null) {
                obey(line.strip());
                line = in.readLine();
            }
        } catch (IOException e) {
            answers.accept("standard input cannot be read: " + Failure.message(e));
        }
        if (pauses && !proceeded && migration.cancel()) {
            answers.accept("standard input has ended, and nobody can say 'proceed' any more: cancelling");
        }
    }

    private void obey(String line) {
        if (line.isEmpty()) {
            return;
        }
        String[] words = line.split("\\s+", 2);
        String value = words.length == 2 ? words[1] : "";
        MigrationLimits limits = migration.limits();
        try {
            switch (words[0]) {
                case "downtime-limit" ->
                    change(line, limits.withDowntimeLimit(parse(new Converters.OfDuration(), value)));
                case "max-bandwidth" ->
                    change(
                            line,
                            limits.withMaxBytesPerSecond(
                                    value.equals(NONE) ? 0 : parse(new Converters.OfRate(), value)));
                case "max-rounds" -> change(line, limits.withMaxRounds(parse(new Converters.OfRounds(), value)));
                case "max-time" -> change(line, limits.withMaxPreCopy(parse(new Converters.OfDuration(), value)));
                case "max-precopy-bytes" ->
                    change(
                            line,
                            limits.withMaxPreCopyBytes(value.equals(NONE) ? 0 : parse(new Converters.OfSize(), value)));
                case "on-no-convergence" ->
                    change(line, limits.withWhenNotConverging(parse(new Converters.OfNotConverging(), value)));
                case "proceed" -> {
                    proceeded = true;
                    migration.proceed();
                    answers.accept("proceed: done");
                }
                case "cancel" -> answers.accept(migration.cancel() ? "cancel: done" : "cancel: it is too late");
                case "status" -> status();
                default -> answers.accept("'" + words[0] + "' is no command; use " + COMMANDS);
            }
        } catch (TypeConversionException e) {
            answers.accept(words[0] + ": " + e.getMessage());
        }
    }

    private void change(String line, MigrationLimits changed) {
        migration.limits(changed);
        answers.accept(line + ": done");
    }

    private void status() {
        for (HandlerReport handler : migration.statistics()) {
            answers.accept(handler.name() + ": " + Format.bytes(handler.preCopyBytes() + handler.stopCopyBytes())
                    + " sent, round " + handler.rounds() + ", " + Format.bytes(handler.bytesPerSecond()) + "/s");
        }
    }

    private static <T> T parse(ITypeConverter<T> converter, String value) {
        try {
            return converter.convert(value);
        } catch (TypeConversionException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException("converters throw nothing else", e);
        }
    }
}
