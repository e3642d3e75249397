// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.emulator.Rehearsal;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.Charset;

/** Runs the command {@code vfio4j}. */
public final class Main {
    private Main() {}

    /**
     * Runs the command and ends the JVM with its exit code.
     *
     * @param arguments the words of the command line
     */
    public static void main(String[] arguments) {
        Console console = new Console(
                new BufferedReader(new InputStreamReader(System.in, Charset.defaultCharset())),
                writer(System.out),
                writer(System.err),
                Terminal.ofStandardError());
        Cancellation cancellation = new Cancellation();
        Runtime.getRuntime()
                .addShutdownHook(Thread.ofPlatform().name("vfio4j-cancel").unstarted(() -> {
                    int code = cancellation.cancelAndWait(console.err());
                    if (code != ExitCode.CANCELLED.code()) {
                        // The JVM would end with the signal's code, although the command has ended by itself.
                        Runtime.getRuntime().halt(code);
                    }
                }));
        int code = new Cli(new Environment(console, Devices::system, cancellation, Rehearsal::run)).run(arguments);
        console.out().flush();
        console.err().flush();
        cancellation.ended(code);
        System.exit(code);
    }

    private static PrintWriter writer(PrintStream stream) {
        return new PrintWriter(stream, false, stream.charset());
    }
}
