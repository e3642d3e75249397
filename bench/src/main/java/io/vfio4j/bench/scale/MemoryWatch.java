// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.scale;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Watches the memory of this process that is no file: the heap, the buffers of both sides, and what the JVM itself
 * takes. The states of emulated devices are files in memory and do not count.
 */
final class MemoryWatch implements AutoCloseable {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final String ANONYMOUS = "RssAnon:";
    private static final long INTERVAL_MILLIS = 50;

    private final List<Double> samples = new ArrayList<>();
    private final ExecutorService thread = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().name("memory-watch").daemon().factory());
    private final double before;

    /** Begins, after it has cleared away what is not used any more. */
    MemoryWatch() throws IOException {
        System.gc();
        before = mebibytes();
        thread.execute(this::watch);
    }

    private void watch() {
        try {
            while (true) {
                double now = mebibytes();
                synchronized (samples) {
                    samples.add(now);
                }
                Thread.sleep(INTERVAL_MILLIS);
            }
        } catch (IOException e) {
            throw new IllegalStateException(STATUS + " cannot be read any more", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static double mebibytes() throws IOException {
        return Files.readAllLines(STATUS).stream()
                .filter(line -> line.startsWith(ANONYMOUS))
                .mapToDouble(line -> Double.parseDouble(line.replaceAll("[^0-9]", "")) / 1024)
                .findFirst()
                .orElseThrow(() -> new IOException("the kernel does not tell " + ANONYMOUS));
    }

    /** By how many MiB the process was larger than before, at the most. */
    double growth() {
        return all().stream().mapToDouble(Double::doubleValue).max().orElse(before) - before;
    }

    /** All samples so far, in MiB. */
    List<Double> all() {
        synchronized (samples) {
            return List.copyOf(samples);
        }
    }

    @Override
    public void close() {
        thread.shutdownNow();
        thread.close();
    }
}
