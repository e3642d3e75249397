// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static io.vfio4j.dirty.Dirty.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntSupplier;
import java.util.stream.IntStream;

/** A guest whose CPUs go on writing while its memory is copied, as a migration does. */
final class RunningGuest implements AutoCloseable {
    private static final int CODE_PAGES = 8;
    private static final int LEAST_RUNS = 200;
    private static final long PATIENCE_SECONDS = 60;

    /** What {@link MemorySegment#mismatch} says of equal ones. */
    private static final long NONE = -1;

    private final Guest guest;
    private final IntSupplier ringFull;
    private final AtomicBoolean stop = new AtomicBoolean();
    private final AtomicInteger runs = new AtomicInteger();
    private final AtomicInteger full = new AtomicInteger();
    private final List<FutureTask<Void>> tasks = new ArrayList<>();
    private final List<Guest.Vcpu> vcpus = new ArrayList<>();

    /** Makes the CPUs; they run from {@link #copyUntilItHasRun} on. */
    RunningGuest(Guest guest, int count, IntSupplier ringFull) {
        this.guest = guest;
        this.ringFull = ringFull;
        for (int i = 0; i < count; i++) {
            Guest.Vcpu vcpu = guest.addVcpu();
            // Each has pages of its own, for no two of them lock when they count.
            int number = i;
            vcpu.program(IntStream.range(CODE_PAGES, Guest.PAGES)
                    .filter(page -> page % count == number)
                    .toArray());
            vcpus.add(vcpu);
        }
    }

    /** How often a full ring has stopped a CPU. */
    int full() {
        return full.get();
    }

    /**
     * Copies what is dirty, round after round, each page after the collection that reported it; then the CPUs stop and
     * the last round is copied: nothing may differ.
     */
    void copyUntilItHasRun(DirtyTracker tracker) throws IOException, InterruptedException, ExecutionException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(guest.memory.byteSize(), PAGE).copyFrom(guest.memory);
            for (Guest.Vcpu vcpu : vcpus) {
                FutureTask<Void> task = new FutureTask<>(() -> {
                    while (!stop.get()) {
                        full.addAndGet(vcpu.run(ringFull));
                        runs.incrementAndGet();
                    }
                    return null;
                });
                tasks.add(task);
                Thread thread = new Thread(task, "vfio4j-test-vcpu");
                thread.setDaemon(true);
                thread.start();
            }
            int part = 64;
            while (runs.get() < LEAST_RUNS && tasks.stream().noneMatch(FutureTask::isDone)) {
                for (int page = 0; page < Guest.PAGES; page += part) {
                    copy(tracker, Dirty.pages(0, page, part), copy);
                }
            }
            close();
            copy(tracker, Guest.ALL, copy);
            assertThat(copy.mismatch(guest.memory))
                    .as("the first byte that differs, after %s runs", runs)
                    .isEqualTo(NONE);
        } catch (TimeoutException e) {
            throw new AssertionError("the guest does not stop", e);
        }
    }

    private void copy(DirtyTracker tracker, AddressRange range, MemorySegment copy) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            DirtyBitmap bitmap = new DirtyBitmap(arena, range, PAGE);
            assertThat(tracker.collect(range, bitmap)).isEqualTo(Collected.REPORTED);
            bitmap.forEachRun((address, length) -> MemorySegment.copy(guest.memory, address, copy, address, length));
        }
    }

    @Override
    public void close() throws InterruptedException, ExecutionException, TimeoutException {
        stop.set(true);
        for (FutureTask<Void> task : tasks) {
            task.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        }
    }
}
