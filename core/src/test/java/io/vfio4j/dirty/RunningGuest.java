// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.dirty;

import static io.vfio4j.testing.DirtyPages.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import io.vfio4j.testing.DirtyPages;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.IntSupplier;
import java.util.stream.IntStream;

/** A guest whose CPUs go on writing while its memory is copied, as a migration does. */
final class RunningGuest implements AutoCloseable {
    private static final int CODE_PAGES = 8;
    private static final int MIGRATIONS = 300;
    private static final int RUNS = 2;

    /** How many pages are collected at a time: some of a slot, and some of two. */
    private static final int PART = 64;

    private static final long PATIENCE_SECONDS = 60;

    /** What {@link MemorySegment#mismatch} says of equal ones. */
    private static final long NONE = -1;

    private final Guest guest;
    private final IntSupplier ringFull;
    private final List<FutureTask<Void>> tasks = new ArrayList<>();
    private final List<Guest.Vcpu> vcpus = new ArrayList<>();

    /** Makes the CPUs; they run from {@link #runAndCopy} on. */
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

    /**
     * Copies what is dirty while the CPUs run, each page after the collection that reported it; they stop, and what is
     * left is copied: nothing may differ. Many times over, for what one run loses, the next one would dirty again.
     */
    void runAndCopy(DirtyTracker tracker)
            throws IOException, InterruptedException, ExecutionException, TimeoutException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(guest.memory.byteSize(), PAGE).copyFrom(guest.memory);
            for (int migration = 0; migration < MIGRATIONS; migration++) {
                vcpus.forEach(this::start);
                while (!tasks.stream().allMatch(FutureTask::isDone)) {
                    for (int page = 0; page < Guest.PAGES; page += PART) {
                        copy(tracker, DirtyPages.pages(0, page, PART), copy);
                    }
                }
                close();
                copy(tracker, Guest.ALL, copy);
                assertThat(copy.mismatch(guest.memory))
                        .as("the first byte that differs, in migration %s", migration)
                        .isEqualTo(NONE);
            }
        }
    }

    private void start(Guest.Vcpu vcpu) {
        FutureTask<Void> task = new FutureTask<>(() -> {
            for (int i = 0; i < RUNS; i++) {
                assertThat(vcpu.run(ringFull)).isNotNegative();
                // Any thread may, at any time.
                assertThat(ringFull.getAsInt()).isNotNegative();
            }
            return null;
        });
        tasks.add(task);
        Thread thread = new Thread(task, "vfio4j-test-vcpu");
        thread.setDaemon(true);
        thread.start();
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
        for (FutureTask<Void> task : tasks) {
            task.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        }
        tasks.clear();
    }
}
