// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Hands buffers from one thread, the producer, to another, the consumer, and back through their pool.
 *
 * <p>The pool bounds what is under way: a producer that is too fast waits for a buffer. A failure of either side
 * reaches the other at its next call. Neither locks nor allocates per buffer.
 */
final class BufferExchange {
    /** A thread that waits is woken up; this only bounds what a lost wake-up would cost. */
    private static final long PARK_NANOS = 100_000_000;

    private final BufferPool pool;
    private final AtomicReferenceArray<@Nullable PooledBuffer> slots;
    private final AtomicReference<@Nullable IOException> failure = new AtomicReference<>();
    private int putAt;
    private int takeAt;
    private long put;
    private volatile long recycled;
    private volatile boolean finished;
    private volatile @Nullable Thread producer;
    private volatile @Nullable Thread consumer;

    BufferExchange(BufferPool pool) {
        this.pool = pool;
        // As many slots as buffers: a slot is always free for a buffer that was acquired.
        this.slots = new AtomicReferenceArray<>(pool.count());
    }

    /** Producer: takes a free buffer; null when there is none now. */
    @Nullable
    PooledBuffer tryAcquire() throws IOException {
        throwFailure();
        return pool.tryAcquire();
    }

    /** Producer: takes a free buffer, waiting for one. */
    PooledBuffer acquire() throws IOException {
        while (true) {
            PooledBuffer buffer = tryAcquire();
            if (buffer != null) {
                return buffer;
            }
            producer = Thread.currentThread();
            if (pool.freeCount() == 0 && failure.get() == null) {
                LockSupport.parkNanos(this, PARK_NANOS);
            }
            producer = null;
        }
    }

    /** Producer: hands a buffer over. */
    void put(PooledBuffer buffer) {
        slots.set(putAt, buffer);
        putAt = next(putAt);
        put++;
        LockSupport.unpark(consumer);
    }

    /** Producer: nothing more will come. */
    void finish() {
        finished = true;
        LockSupport.unpark(consumer);
    }

    /** Producer: waits until the consumer is done with all that was put. */
    void awaitConsumed() throws IOException {
        while (recycled != put) {
            throwFailure();
            producer = Thread.currentThread();
            if (recycled != put && failure.get() == null) {
                LockSupport.parkNanos(this, PARK_NANOS);
            }
            producer = null;
        }
        throwFailure();
    }

    /** Consumer: takes the next buffer; null when there is none now. */
    @Nullable
    PooledBuffer poll() {
        PooledBuffer buffer = slots.get(takeAt);
        if (buffer != null) {
            slots.set(takeAt, null);
            takeAt = next(takeAt);
        }
        return buffer;
    }

    /** Consumer: takes the next buffer, waiting for it; null when nothing more will come. */
    @Nullable
    PooledBuffer take() throws IOException {
        while (true) {
            PooledBuffer buffer = poll();
            if (buffer != null) {
                return buffer;
            }
            throwFailure();
            if (finished && slots.get(takeAt) == null) {
                return null;
            }
            consumer = Thread.currentThread();
            if (slots.get(takeAt) == null && !finished && failure.get() == null) {
                LockSupport.parkNanos(this, PARK_NANOS);
            }
            consumer = null;
        }
    }

    /** Consumer: gives a buffer back that it is done with. */
    @SuppressWarnings("NonAtomicVolatileUpdate") // only the consumer writes it
    void recycle(PooledBuffer buffer) {
        pool.release(buffer);
        recycled++;
        LockSupport.unpark(producer);
    }

    /** Either side: it cannot go on. The first failure is the one that counts. */
    void fail(IOException e) {
        failure.compareAndSet(null, e);
        LockSupport.unpark(producer);
        LockSupport.unpark(consumer);
    }

    /** After both threads have stopped: gives back what was put and not taken. */
    void clear() {
        for (int i = 0; i < slots.length(); i++) {
            PooledBuffer left = slots.getAndSet(i, null);
            if (left != null) {
                pool.release(left);
            }
        }
    }

    private void throwFailure() throws IOException {
        IOException e = failure.get();
        if (e != null) {
            throw e;
        }
    }

    private int next(int at) {
        return at + 1 == slots.length() ? 0 : at + 1;
    }
}
