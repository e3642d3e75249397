// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.tinyvmm;

import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;

import io.vfio4j.emulator.ByteSize;
import io.vfio4j.emulator.Rehearsal;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationException.Reason;
import io.vfio4j.migration.MigrationLimits.NotConverging;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The command {@code tiny-vmm}: runs a guest, migrates it to another process, or takes one in. */
@Command(name = "tiny-vmm", description = "A virtual machine monitor that migrates.")
public final class TinyVmm {
    private static final int USAGE = 2;
    private static final int MACHINE = 3;
    private static final int INTERRUPTED = 130;

    private final CountDownLatch interrupted = new CountDownLatch(1);
    private final CompletableFuture<Integer> ended = new CompletableFuture<>();
    private volatile Runnable cancel = () -> {};
    private final LibC libc;
    private final PrintStream out;
    private final PrintStream err;

    TinyVmm(LibC libc, PrintStream out, PrintStream err) {
        this.libc = libc;
        this.out = out;
        this.err = err;
    }

    /**
     * Runs the command and ends the JVM with its exit code: those of {@code vfio4j}, of which docs/embedding.md lists
     * the ones that there are here.
     *
     * @param arguments the words of the command line
     */
    public static void main(String[] arguments) {
        TinyVmm tinyVmm = new TinyVmm(LibC.system(), System.out, System.err);
        Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().unstarted(tinyVmm::interruptAndWait));
        int code = tinyVmm.execute(arguments);
        tinyVmm.ended.complete(code);
        System.exit(code);
    }

    int execute(String... arguments) {
        return new CommandLine(this)
                .addSubcommand("run", new Run())
                .addSubcommand("migrate-to", new MigrateTo())
                .addSubcommand("incoming", new Incoming())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler((e, words) -> fail(USAGE, e))
                .setExecutionExceptionHandler((e, command, parsed) -> fail(exitCode(e), e))
                .execute(arguments);
    }

    private int fail(int code, Exception e) {
        err.println("error: " + (e.getMessage() == null ? e : e.getMessage()));
        Stream.of(e.getSuppressed()).forEach(each -> err.println("  " + each.getMessage()));
        return code;
    }

    private static int exitCode(Exception e) {
        if (e instanceof MigrationException migration) {
            return switch (migration.reason()) {
                case CANCELLED -> INTERRUPTED;
                case IN_DOUBT -> 10;
                // DEVICE is 3, and so on in the order that vfio4j's exit codes have, too.
                default -> MACHINE + List.of(Reason.values()).indexOf(migration.reason());
            };
        }
        return e instanceof IllegalArgumentException ? USAGE : MACHINE;
    }

    /** Has the guest stop, and a migration be cancelled. */
    void interrupt() {
        interrupted.countDown();
        cancel.run();
    }

    private void interruptAndWait() {
        interrupt();
        int code = ended.completeOnTimeout(INTERRUPTED, 20, TimeUnit.SECONDS).join();
        if (code != INTERRUPTED) {
            // The JVM would end with the signal's code, although the command has ended by itself.
            Runtime.getRuntime().halt(code);
        }
    }

    /** What all three have: a machine, and when the guest's run ends. */
    abstract class MachineCommand implements Callable<Integer> {
        @Option(names = "--memory", description = "The guest's memory (default: 64MiB).")
        String memory = "64MiB";

        @Option(names = "--tracker", description = "What tells its dirty pages: KVM's log or ring (default: log).")
        Machine.Tracker tracker = Machine.Tracker.LOG;

        @Option(names = "--device", description = "Its VFIO device: emulated:..., or a real one's address.")
        String device = "emulated:size=8MiB,dirty=1MiB/s";

        @Option(names = "--uart-log", description = "A file that what the guest writes to its UART is added to.")
        @Nullable
        Path uartLog;

        @Option(
                names = "--until-pass",
                description = "End when the guest has made so many passes (default: on Ctrl-C).")
        long untilPass = Long.MAX_VALUE;

        @Override
        public Integer call() throws IOException, InterruptedException {
            long bytes = ByteSize.parse(memory);
            if (bytes < 1 << 20 || bytes > 3L << 30 || bytes % (1 << 20) != 0) {
                throw new IllegalArgumentException("--memory is 1MiB to 3GiB, in whole MiB, not " + memory);
            }
            try (OutputStream line = uartLog == null
                            ? OutputStream.nullOutputStream()
                            : Files.newOutputStream(uartLog, CREATE, APPEND);
                    Machine machine = new Machine(libc, bytes, tracker, device, line)) {
                return run(machine);
            }
        }

        abstract int run(Machine machine) throws IOException, InterruptedException;

        void boot(Machine machine) throws IOException {
            machine.boot();
            machine.resume();
            out.println("running");
        }

        /** Lets the guest run to its end, stops it and looks whether all is as it has to be. */
        int runOn(Machine machine) throws IOException, InterruptedException {
            awaitPass(machine, untilPass);
            machine.stop();
            return tellStopped(machine);
        }

        int tellStopped(Machine machine) throws IOException {
            machine.check();
            out.println("stopped: " + machine.uart.written() + " passes, every counter is as it has to be");
            return interrupted.getCount() == 0 ? INTERRUPTED : 0;
        }

        /**
         * The guest stands still here, and perhaps at the other side, too: until a person has decided, nothing ends.
         */
        MigrationException held(MigrationException doubt) throws InterruptedException {
            err.println("held, and stopped, until Ctrl-C: " + doubt.getMessage());
            interrupted.await();
            return doubt;
        }

        void awaitPass(Machine machine, long pass) throws IOException, InterruptedException {
            while (interrupted.getCount() > 0 && !machine.uart.await(pass, Duration.ofMillis(100))) {
                machine.requireGood();
            }
        }
    }

    @Command(name = "run", description = "Runs a guest.")
    final class Run extends MachineCommand {
        @Override
        int run(Machine machine) throws IOException, InterruptedException {
            boot(machine);
            return runOn(machine);
        }
    }

    @Command(name = "migrate-to", description = "Runs a guest and migrates it to a process that runs 'incoming'.")
    final class MigrateTo extends MachineCommand {
        @Parameters(paramLabel = "PEER", description = "Where that listens, such as tcp:127.0.0.1:4444.")
        String peer = "";

        @Option(names = "--after-pass", description = "Migrate when the guest has made so many passes (default: 3).")
        long afterPass = 3;

        @Option(
                names = "--max-bandwidth",
                description = "How fast pre-copy may be, such as 100MiB/s (default: no limit).")
        @Nullable
        String maxBandwidth;

        @Option(names = "--downtime-limit-ms", description = "How long the guest may stand still (default: 300).")
        long downtimeLimitMillis = 300;

        @Option(
                names = "--max-rounds",
                description = "Rounds of pre-copy that may pass without converging (default: 3).")
        int maxRounds = 3;

        @Option(names = "--on-no-convergence", description = "What then: ${COMPLETION-CANDIDATES} (default: THROTTLE).")
        NotConverging onNoConvergence = NotConverging.THROTTLE;

        @Override
        int run(Machine machine) throws IOException, InterruptedException {
            Rehearsal.run();
            boot(machine);
            awaitPass(machine, afterPass);
            MigrationParameters parameters = MigrationParameters.builder()
                    .downtimeLimit(Duration.ofMillis(downtimeLimitMillis))
                    .maxRounds(maxRounds)
                    .whenNotConverging(onNoConvergence)
                    .maxBytesPerSecond(maxBandwidth == null ? 0 : ByteSize.parseRate(maxBandwidth))
                    .build();
            OutgoingMigration migration = new OutgoingMigration(
                    libc, machine.handlers, machine, parameters, SwitchoverPolicy.STANDARD, new Printer());
            cancel = migration::cancel;
            try {
                tell(migration.run(TransportAddress.parsePeer(peer)));
            } catch (MigrationException e) {
                if (e.reason() == Reason.IN_DOUBT) {
                    throw held(e);
                }
                err.println("the guest runs on here: " + e.getMessage());
                runOn(machine);
                throw e;
            }
            return tellStopped(machine);
        }
    }

    @Command(name = "incoming", description = "Waits for a guest, and runs it.")
    final class Incoming extends MachineCommand {
        @Parameters(paramLabel = "PEER", description = "Where to listen, such as tcp:127.0.0.1:0.")
        String peer = "";

        @Override
        int run(Machine machine) throws IOException, InterruptedException {
            Rehearsal.run();
            IncomingMigration migration =
                    new IncomingMigration(libc, machine.handlers, machine, MigrationParameters.DEFAULT, new Printer());
            cancel = migration::cancel;
            try {
                out.println("arrived: "
                        + migration.run(TransportAddress.parsePeer(peer)).bytes() + " bytes");
            } catch (MigrationException e) {
                throw migration.holdsState() ? held(e) : e;
            }
            return runOn(machine);
        }
    }

    private void tell(MigrationReport report) {
        out.printf(
                Locale.ROOT,
                "migrated: %d bytes in %d rounds and %d ms; downtime %.1f ms, predicted %.1f ms; in nanoseconds: %s%n",
                report.totalBytes(),
                report.rounds(),
                TimeUnit.NANOSECONDS.toMillis(report.totalNanos()),
                report.downtime().total() / 1e6,
                report.predictedDowntimeNanos() / 1e6,
                report.downtime());
    }

    /** Says what happens, a line each. */
    private final class Printer implements MigrationListener {
        @Override
        public void onListening(String address) {
            out.println("listening on " + address);
        }

        @Override
        public void onNotice(String text) {
            out.println("notice: " + text);
        }
    }
}
