// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.cli.OutgoingOptions.BadValue;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The course that all commands share: do it, then print the result or the one error, and give the exit code. */
abstract class ReportingCommand implements Callable<Integer> {
    @Mixin
    OutputOptions output = new OutputOptions();

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help message and exit.")
    boolean help;

    final Environment environment;

    ReportingCommand(Environment environment) {
        this.environment = environment;
    }

    /** Does what the command is for, and leaves what it found out in the result, also when it fails. */
    abstract void run(Result result, ProgressPrinter progress) throws IOException;

    @Override
    public final Integer call() {
        Result result = new Result(spec.name());
        Throwable thrown = null;
        try (ProgressPrinter progress = output.printer(environment.console()).start()) {
            run(result, progress);
        } catch (BadValue e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        } catch (IOException | RuntimeException | Error e) {
            thrown = e;
        }
        print(result, thrown);
        return result.exit().code();
    }

    private void print(Result result, @Nullable Throwable thrown) {
        PrintWriter out = environment.console().out();
        PrintWriter err = environment.console().err();
        Failure failure = null;
        if (thrown != null) {
            Failure bare = Failure.of(thrown);
            List<String> details = new ArrayList<>(result.details());
            details.addAll(bare.details());
            failure = new Failure(bare.exit(), bare.reason(), bare.message(), List.copyOf(details));
            result.exit(failure.exit());
        }
        if (!output.quiet) {
            // With --json, standard output is for the object alone.
            PrintWriter to = output.json ? err : out;
            result.table().forEach(to::println);
            to.flush();
        }
        if (failure != null) {
            failure.print(err);
            if (output.debug && thrown != null) {
                thrown.printStackTrace(err);
            }
            err.flush();
        }
        if (output.json) {
            out.println(result.json(failure));
        }
        out.flush();
    }
}
