// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import picocli.CommandLine.Option;

/** How a command tells what it does. */
final class OutputOptions {
    @Option(
            names = "--json",
            description = "Print one JSON object on standard output; everything else goes to standard error.")
    boolean json;

    @Option(
            names = {"-q", "--quiet"},
            description = "No progress and no table.")
    boolean quiet;

    @Option(
            names = "--progress",
            paramLabel = "auto|plain|none",
            converter = Converters.OfProgress.class,
            defaultValue = "auto",
            description = "How to show progress (default: ${DEFAULT-VALUE}; auto: redrawn in place on a terminal).")
    ProgressPrinter.Mode progress = ProgressPrinter.Mode.AUTO;

    @Option(names = "--debug", description = "Print the stack trace of an error, too.")
    boolean debug;

    ProgressPrinter printer(Console console) {
        return new ProgressPrinter(console.err(), quiet ? ProgressPrinter.Mode.NONE : progress, console.terminal());
    }
}
