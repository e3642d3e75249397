// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.MemoryBudget;
import io.vfio4j.migration.MigrationException.Reason;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** What a migration has of the memory that it shares with others, if it does; taken before anything is touched. */
final class MemoryPart implements AutoCloseable {
    /** Other migrations end without a word to this one. */
    private static final long LOOK_NANOS = 20_000_000;

    /** For a migration that shares nothing. */
    static final MemoryPart NONE = new MemoryPart(null);

    private final MemoryBudget.@Nullable Part part;

    private MemoryPart(MemoryBudget.@Nullable Part part) {
        this.part = part;
    }

    /** Waits in line for a part, no longer than a destination waits for its source. */
    static MemoryPart take(MigrationParameters parameters, Execution execution, BooleanSupplier cancelled)
            throws MigrationException {
        MemoryBudget budget = parameters.memory();
        if (budget == null) {
            return NONE;
        }
        MemoryBudget.Part part = budget.join();
        long deadline = execution.nanoTime() + parameters.acceptLimit().toNanos();
        while (!part.take() && !execution.await(execution.nanoTime() + LOOK_NANOS, cancelled)) {
            if (execution.nanoTime() > deadline) {
                part.close();
                throw new MigrationException(
                        Reason.DEVICE,
                        "no memory for " + parameters.acceptLimit().toMillis()
                                + " ms: as many other migrations as the memory budget allows are under way");
            }
        }
        return new MemoryPart(part);
    }

    @Override
    public void close() {
        if (part != null) {
            part.close();
        }
    }
}
