// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.observe.Phase;
import io.vfio4j.observe.PhaseReport;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** How long a migration has been in each phase, and what went meanwhile. Any thread. */
final class PhaseTimes {
    private final LongSupplier nanoTime;
    private final LongSupplier bytes;
    private final Map<Phase, PhaseReport> left = new EnumMap<>(Phase.class);
    private @Nullable Phase current;
    private long since;
    private long bytesBefore;

    PhaseTimes(LongSupplier nanoTime, LongSupplier bytes) {
        this.nanoTime = nanoTime;
        this.bytes = bytes;
    }

    /** Leaves the phase that the migration was in. */
    synchronized void enter(Phase phase) {
        PhaseReport before = soFar();
        if (before != null) {
            left.put(before.phase(), before);
        }
        current = isEnd(phase) ? null : phase;
        since = nanoTime.getAsLong();
        bytesBefore = bytes.getAsLong();
    }

    private static boolean isEnd(Phase phase) {
        return switch (phase) {
            case COMPLETED, FAILED, IN_DOUBT -> true;
            default -> false;
        };
    }

    private @Nullable PhaseReport soFar() {
        Phase phase = current;
        if (phase == null) {
            return null;
        }
        PhaseReport before = left.getOrDefault(phase, new PhaseReport(phase, 0, 0));
        return new PhaseReport(
                phase, before.nanos() + nanoTime.getAsLong() - since, before.bytes() + bytes.getAsLong() - bytesBefore);
    }

    /** Says what there was so far of each phase that was entered, in the order of {@link Phase}. */
    synchronized List<PhaseReport> reports() {
        Map<Phase, PhaseReport> all = new EnumMap<>(left);
        PhaseReport now = soFar();
        if (now != null) {
            all.put(now.phase(), now);
        }
        return List.copyOf(all.values());
    }
}
