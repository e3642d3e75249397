// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.cli.bench.Timeline;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.observe.HandlerReport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Looks some two hundred times a second how much a migration has sent, on a thread of its own. */
final class Sampler {
    private static final long EVERY_MILLIS = 5;

    private final Thread thread;

    private Sampler(Thread thread) {
        this.thread = thread;
    }

    /** Begins to look, as soon as there is a timeline to write to. That is whole when this is closed. */
    static Sampler start(OutgoingMigration migration, Supplier<@Nullable Timeline> timeline) {
        return new Sampler(
                Thread.ofPlatform().name("vfio4j-bench-sampler").daemon().start(() -> sample(migration, timeline)));
    }

    private static void sample(OutgoingMigration migration, Supplier<@Nullable Timeline> timeline) {
        try {
            while (true) {
                Timeline begun = timeline.get();
                if (begun != null) {
                    begun.sample(System.nanoTime(), bytesSent(migration));
                }
                Thread.sleep(EVERY_MILLIS);
            }
        } catch (InterruptedException e) {
            return;
        }
    }

    private static long bytesSent(OutgoingMigration migration) {
        long bytes = 0;
        for (HandlerReport handler : migration.statistics()) {
            bytes += handler.preCopyBytes() + handler.stopCopyBytes();
        }
        return bytes;
    }

    /** Ends the look, and waits for that. */
    void close() {
        Threads.end(thread);
    }
}
