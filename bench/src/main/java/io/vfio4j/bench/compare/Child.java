// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.compare;

import io.vfio4j.bench.compare.Usage.Sample;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A process whose output is kept and whose use of processor and memory is sampled. Closing it ends it. */
final class Child implements AutoCloseable {
    /** More often, and the sampling would show: in the lab it takes processors from what it watches. */
    private static final long SAMPLE_MILLIS = 100;

    private static final long NANOS_PER_TICK = 10_000_000;
    private static final String LISTENING = "listening on ";

    private final String name;
    private final Process process;
    private final Queue<String> out = new ConcurrentLinkedQueue<>();
    private final Queue<String> err = new ConcurrentLinkedQueue<>();
    private final CompletableFuture<String> address = new CompletableFuture<>();
    private final List<Sample> samples = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();
    private long peakBytes;

    /** Starts a command; what is in the environment comes on top of this process's own. */
    Child(List<String> command, Map<String, String> environment) throws IOException {
        name = String.join(" ", command);
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().putAll(environment);
        process = builder.start();
        process.getOutputStream().close();
        threads.add(thread(() -> read(process.getInputStream(), out)));
        threads.add(thread(this::readErr));
        threads.add(thread(this::sample));
    }

    private static Thread thread(Runnable body) {
        return Thread.ofPlatform().daemon().start(body);
    }

    private void read(InputStream from, Queue<String> to) {
        try (BufferedReader reader = new BufferedReader(new InputStreamReader(from, StandardCharsets.UTF_8))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                to.add(line);
                int at = line.indexOf(LISTENING);
                if (at >= 0) {
                    address.complete(line.substring(at + LISTENING.length()));
                }
            }
        } catch (IOException e) {
            to.add(e.toString());
        }
    }

    private void readErr() {
        read(process.getErrorStream(), err);
        address.completeExceptionally(new IOException("it has ended"));
    }

    private void sample() {
        Path proc = Path.of("/proc", Long.toString(process.pid()));
        try {
            while (true) {
                long cpu = cpuNanos(Files.readString(proc.resolve("stat")));
                long peak = peakBytes(Files.readString(proc.resolve("status")));
                synchronized (samples) {
                    samples.add(new Sample(System.nanoTime(), cpu));
                    peakBytes = Math.max(peakBytes, peak);
                }
                Thread.sleep(SAMPLE_MILLIS);
            }
        } catch (IOException e) {
            // The process has ended.
            return;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The user and system time in a line of {@code /proc/PID/stat}. */
    static long cpuNanos(String stat) {
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) * NANOS_PER_TICK;
    }

    /** The high-water mark in {@code /proc/PID/status}; a process that ends has none any more. */
    static long peakBytes(String status) {
        return status.lines()
                .filter(line -> line.startsWith("VmHWM:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) << 10)
                .findFirst()
                .orElse(0);
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /** Waits until it says where it listens. */
    String awaitListening(int seconds) throws IOException, InterruptedException {
        try {
            return address.get(seconds, TimeUnit.SECONDS);
        } catch (TimeoutException | ExecutionException e) {
            throw new IOException(name + ": does not listen\n" + err(), e);
        }
    }

    /** Waits until it has ended well, and returns what it printed. */
    String await(int seconds) throws IOException, InterruptedException {
        if (!process.waitFor(seconds, TimeUnit.SECONDS)) {
            throw new IOException(name + ": does not end within " + seconds + " s\n" + err());
        }
        for (Thread each : threads) {
            each.join(TimeUnit.SECONDS.toMillis(seconds));
        }
        if (process.exitValue() != 0) {
            throw new IOException(name + ": ended with " + process.exitValue() + "\n" + text(out) + err());
        }
        return text(out);
    }

    private static String text(Queue<String> lines) {
        return String.join("\n", lines);
    }

    /** What it has printed on standard error. */
    String err() {
        return text(err);
    }

    /** What it has used so far. */
    Usage usage() {
        synchronized (samples) {
            return new Usage(List.copyOf(samples), peakBytes, -1);
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
        process.onExit().join();
    }
}
