// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.stream.Frame;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command line: its commands, its help and what becomes of a word that none of them knows. */
final class Cli {
    private static final int HELP_COLUMNS = 100;

    private final Environment environment;

    Cli(Environment environment) {
        this.environment = environment;
    }

    int run(String... arguments) {
        return commandLine().execute(arguments);
    }

    CommandLine commandLine() {
        CommandLine line = new CommandLine(new Root())
                .addSubcommand(new DevicesCommand(environment))
                .addSubcommand(new MigrateCommand(environment))
                .addSubcommand(new OutgoingCommand.Send(environment))
                .addSubcommand(new IncomingCommand.Receive(environment))
                .addSubcommand(new OutgoingCommand.Save(environment))
                .addSubcommand(new IncomingCommand.Load(environment))
                .addSubcommand(new BenchCommand(environment))
                .addSubcommand(new HelpCommand());
        line.getCommandSpec().usageMessage().footer(footer());
        line.getSubcommands().values().forEach(command -> {
            command.getCommandSpec().usageMessage().sortOptions(false).abbreviateSynopsis(true);
        });
        return line.setUsageHelpWidth(HELP_COLUMNS)
                .setOut(environment.console().out())
                .setErr(environment.console().err())
                .setOverwrittenOptionsAllowed(false)
                .setParameterExceptionHandler(this::wrongUsage)
                .setExecutionExceptionHandler((e, command, parsed) -> failed(e));
    }

    private int wrongUsage(ParameterException e, String[] arguments) {
        CommandLine command = e.getCommandLine();
        PrintWriter err = command.getErr();
        err.println("error: " + usageMessage(e));
        err.println("  see: " + command.getCommandSpec().qualifiedName() + " --help");
        err.flush();
        return ExitCode.USAGE.code();
    }

    private static String usageMessage(ParameterException e) {
        List<String> unmatched = e instanceof UnmatchedArgumentException unknown ? unknown.getUnmatched() : List.of();
        boolean noCommand = e.getCommandLine().getParent() == null;
        if (noCommand && !unmatched.isEmpty() && !unmatched.getFirst().startsWith("-")) {
            return "Unknown command: '" + unmatched.getFirst() + "'; use one of "
                    + String.join(", ", e.getCommandLine().getSubcommands().keySet());
        }
        // A person knows a parameter by its name in the help, not by its index.
        return Failure.message(e)
                .replaceAll("positional parameter at index \\S+ \\((\\w+)\\)", "$1")
                .replaceAll("^Missing required subcommand$", "Missing command")
                .replaceAll("^Unmatched argument", "Too many arguments: unmatched argument");
    }

    /** What the commands themselves do not catch is a bug of theirs. */
    private int failed(Exception e) {
        PrintWriter err = environment.console().err();
        Failure failure = Failure.of(e);
        failure.print(err);
        err.flush();
        return failure.exit().code();
    }

    private static String[] footer() {
        List<String> lines = new ArrayList<>(List.of(
                "",
                "Devices: emulated:size=SIZE,dirty=RATE, /dev/vfio/devices/vfioN, /dev/vfio/GROUP/NAME,",
                "a PCI address, an mdev UUID, or a folder below /sys. Peers: tcp:HOST:PORT, unix:PATH, fd:N,N...",
                "Files: file:PATH.",
                "",
                "Exit codes:"));
        for (ExitCode exit : ExitCode.values()) {
            lines.add(String.format(Locale.ROOT, "  %3d  %s", exit.code(), exit.meaning()));
        }
        lines.addAll(List.of(
                "",
                "Examples:",
                "  vfio4j migrate                                        on an emulated device, all in one process",
                "  vfio4j receive emulated:size=1GiB tcp:127.0.0.1:4444  in one terminal, and in another:",
                "  vfio4j send emulated:size=1GiB,dirty=100MiB/s tcp:127.0.0.1:4444"));
        return lines.toArray(String[]::new);
    }

    /** The command without a subcommand. */
    @Command(
            name = "vfio4j",
            description = "Live-migrates VFIO devices.",
            synopsisSubcommandLabel = "COMMAND",
            mixinStandardHelpOptions = true,
            versionProvider = Version.class)
    static final class Root {}

    /** Which vfio4j this is. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            Properties properties = new Properties();
            try (InputStream in = Cli.class.getResourceAsStream("version.properties")) {
                if (in != null) {
                    properties.load(in);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return new String[] {
                "vfio4j " + properties.getProperty("version", "unknown") + " (stream format " + Frame.VERSION
                        + ", Java " + Runtime.version() + ")"
            };
        }
    }
}
