// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.transport.Connection;
import io.vfio4j.transport.IncomingFile;
import io.vfio4j.transport.Listener;
import io.vfio4j.transport.OutgoingFile;
import io.vfio4j.transport.Transport;
import io.vfio4j.transport.TransportAddress;
import io.vfio4j.transport.TransportException;
import java.time.Duration;
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
    private final SimulatedDisk disk;
    private boolean crashed;

    SimulatedProcess(String name, SimulatedWorld world, SimulatedNetwork network, SimulatedDisk disk) {
        this.name = name;
        this.world = world;
        this.network = network;
        this.disk = disk;
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
        return new Transport() {
            @Override
            public Connection connect(TransportAddress.Peer address, Duration limit) throws TransportException {
                return network.connect(SimulatedProcess.this, limit);
            }

            @Override
            public Listener listen(TransportAddress.Peer address) {
                return network.listen(SimulatedProcess.this);
            }

            @Override
            public IncomingFile openFile(TransportAddress.File address) throws TransportException {
                return disk.open(SimulatedProcess.this, address);
            }

            @Override
            public OutgoingFile createFile(TransportAddress.File address) throws TransportException {
                return disk.create(SimulatedProcess.this, address);
            }

            @Override
            public void close() {}
        };
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
