// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.transport.Transport;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.Lock;
import java.util.function.BooleanSupplier;

/**
 * One side of a simulated migration, with a virtual machine that runs or not.
 *
 * <p>When it crashes its threads go on, but nothing that they do has an effect any more.
 */
final class SimulatedProcess implements Execution {
    private final String name;
    private final SimulatedWorld world;
    private final SimulatedNetwork network;
    private boolean crashed;

    SimulatedProcess(String name, SimulatedWorld world, SimulatedNetwork network) {
        this.name = name;
        this.world = world;
        this.network = network;
    }

    String name() {
        return name;
    }

    boolean hasCrashed() {
        return crashed;
    }

    void crash() {
        world.note(name + " crashes");
        crashed = true;
        network.closeAllOf(this);
    }

    @Override
    public long nanoTime() {
        return world.now();
    }

    @Override
    public Task start(String task, Runnable work) {
        SimulatedWorld.SimulatedThread thread = world.start(name + "/" + task, work);
        return () -> world.await(Long.MAX_VALUE, thread::isDone);
    }

    @Override
    public boolean await(long deadline, BooleanSupplier condition) {
        return world.await(deadline, condition);
    }

    /** Conditions are looked at again at every step. */
    @Override
    public void changed() {}

    @Override
    public Transport openTransport() {
        return network.openTransport(this);
    }

    @Override
    public Lock newLock() {
        return new Lock() {
            private boolean held;

            @Override
            public void lock() {
                world.await(Long.MAX_VALUE, () -> !held);
                held = true;
            }

            @Override
            public void unlock() {
                held = false;
            }

            @Override
            public void lockInterruptibly() {
                throw new UnsupportedOperationException();
            }

            @Override
            public boolean tryLock() {
                throw new UnsupportedOperationException();
            }

            @Override
            public boolean tryLock(long time, TimeUnit unit) {
                throw new UnsupportedOperationException();
            }

            @Override
            public Condition newCondition() {
                throw new UnsupportedOperationException();
            }
        };
    }
}
