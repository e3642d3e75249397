// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.emulator;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * Migrations within this process, for what measures or rehearses them.
 *
 * <p>One thread at a time, but for {@link #cancel}; closed by whoever made it.
 */
public final class Loopback implements AutoCloseable {
    private static final TransportAddress.Peer ANY_PORT = new TransportAddress.Tcp("127.0.0.1", 0);

    private final ExecutorService executor = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().name("destination").factory());
    private final TransportAddress.Peer address;
    private volatile @Nullable OutgoingMigration outgoing;

    /** Makes one over loopback TCP. */
    public Loopback() {
        this(ANY_PORT);
    }

    /**
     * Makes one.
     *
     * @param address where both sides meet: a free port, or a Unix socket
     */
    public Loopback(TransportAddress.Peer address) {
        this.address = address;
    }

    /**
     * Migrates once, and makes the sources run again for the next time.
     *
     * @param libc the system calls that buffers come from
     * @param sources what is migrated, together; stays the caller's
     * @param destinations where to, in the same order; stay the caller's
     * @param here the source's limits
     * @param there the destination's
     * @return the source's report
     * @throws IOException when the migration or a device fails
     */
    public MigrationReport migrate(
            LibC libc,
            List<VfioDevice> sources,
            List<VfioDevice> destinations,
            MigrationParameters here,
            MigrationParameters there)
            throws IOException {
        MigrationReport report = migrateState(libc, handlers(sources), handlers(destinations), here, there);
        for (VfioDevice device : sources) {
            device.setState(MigrationState.RUNNING, MigrationState.STOP);
        }
        return report;
    }

    /**
     * Migrates any state once.
     *
     * @param libc the system calls that buffers come from
     * @param sources what is migrated, together
     * @param destinations where to, with the same names
     * @param here the source's limits
     * @param there the destination's
     * @return the source's report
     * @throws IOException when the migration or a handler fails
     */
    public MigrationReport migrateState(
            LibC libc,
            List<? extends StateHandler> sources,
            List<? extends StateHandler> destinations,
            MigrationParameters here,
            MigrationParameters there)
            throws IOException {
        CompletableFuture<String> listening = new CompletableFuture<>();
        IncomingMigration incoming =
                new IncomingMigration(libc, destinations, VirtualMachine.NONE, there, new MigrationListener() {
                    @Override
                    public void onListening(String address) {
                        listening.complete(address);
                    }
                });
        Future<LoadReport> loaded = executor.submit(() -> {
            try {
                return incoming.run(address);
            } finally {
                // Does nothing unless it has failed before it could listen.
                listening.complete("");
            }
        });
        OutgoingMigration source = new OutgoingMigration(
                libc, sources, VirtualMachine.NONE, here, SwitchoverPolicy.STANDARD, MigrationListener.NONE);
        outgoing = source;
        try {
            String at = listening.join();
            if (at.isEmpty()) {
                // Throws why.
                loaded.get();
            }
            MigrationReport report = source.run(TransportAddress.parse(at));
            loaded.get();
            return report;
        } catch (MigrationException e) {
            incoming.cancel();
            throw e;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } catch (ExecutionException e) {
            throw new IOException("the destination failed", e.getCause());
        }
    }

    private static List<VfioDeviceHandler> handlers(List<VfioDevice> devices) {
        return VfioDeviceHandler.inOrder(devices.toArray(VfioDevice[]::new));
    }

    /** Gives up the migration that is under way. Any thread. */
    public void cancel() {
        OutgoingMigration running = outgoing;
        if (running != null) {
            running.cancel();
        }
    }

    @Override
    public void close() {
        executor.close();
    }
}
