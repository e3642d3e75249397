// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.ffm.LibC;
import io.vfio4j.transport.SystemTransport;
import io.vfio4j.transport.Transport;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/** Real time and threads: this library's own platform threads, or whatever the caller's executor has. */
final class ThreadedExecution implements Execution {
    /** This library's own threads. */
    static final Executor OWN_THREADS = ThreadedExecution::ownThread;

    private final ReentrantLock lock = new ReentrantLock();
    private final List<Waiter> waiters = new ArrayList<>();
    private final LibC libc;
    private final Executor executor;

    ThreadedExecution(LibC libc, Executor executor) {
        this.libc = libc;
        this.executor = executor;
    }

    /** Platform threads, for a blocked downcall holds its carrier. */
    private static void ownThread(Runnable work) {
        Thread.ofPlatform().name("vfio4j-thread").daemon().start(work);
    }

    @Override
    public long nanoTime() {
        return System.nanoTime();
    }

    @Override
    public Task start(String name, Runnable work) {
        CountDownLatch ended = new CountDownLatch(1);
        executor.execute(() -> {
            Thread thread = Thread.currentThread();
            String before = thread.getName();
            thread.setName("vfio4j-" + name);
            try {
                work.run();
            } finally {
                thread.setName(before);
                ended.countDown();
                changed();
            }
        });
        return () -> awaitUninterruptibly(ended);
    }

    /** One who waits, and by what the others know whether there is anything to wake up for. */
    private record Waiter(BooleanSupplier condition, Condition wakeUp) {
        void look() {
            boolean due;
            try {
                due = condition.getAsBoolean();
            } catch (RuntimeException | Error e) {
                // It is for the one who waits to find out.
                due = true;
            }
            if (due) {
                wakeUp.signal();
            }
        }
    }

    @Override
    public boolean await(long deadline, BooleanSupplier condition) {
        boolean interrupted = false;
        Waiter self = null;
        lock.lock();
        try {
            while (!condition.getAsBoolean()) {
                long left = deadline - System.nanoTime();
                if (left <= 0) {
                    return false;
                }
                if (self == null) {
                    self = new Waiter(condition, lock.newCondition());
                    waiters.add(self);
                }
                try {
                    self.wakeUp.awaitNanos(left);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            return true;
        } finally {
            waiters.remove(self);
            lock.unlock();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** To wake up takes a thread longer than to look at all conditions: only who has something to do is woken up. */
    @Override
    public void changed() {
        lock.lock();
        try {
            for (int i = 0; i < waiters.size(); i++) {
                waiters.get(i).look();
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public Lock newLock() {
        return new ReentrantLock();
    }

    @Override
    public Transport openTransport() {
        return new SystemTransport(libc, executor);
    }

    private static void awaitUninterruptibly(CountDownLatch latch) {
        boolean interrupted = false;
        boolean ended = false;
        while (!ended) {
            try {
                latch.await();
                ended = true;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
