// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationException;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.OutgoingMigration;
import io.vfio4j.migration.SwitchoverPolicy;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.migration.handler.VfioDeviceHandler;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.observe.MigrationReport;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Two devices, and migrations from the one to the other over loopback TCP in this process.
 *
 * <p>One thread at a time; closed by whoever made it.
 */
public final class MigrationPair implements AutoCloseable {
    private static final TransportAddress ANY_PORT = new TransportAddress.Tcp("127.0.0.1", 0);

    private final Devices devices = new Devices();
    private final VfioDevice source;
    private final VfioDevice destination;
    private final ExecutorService executor = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().name("destination").factory());

    /**
     * Makes two emulated devices.
     *
     * @param spec the source, {@code emulated:…}; the destination is alike and does not change
     * @throws IOException when a device cannot be opened
     */
    public MigrationPair(String spec) throws IOException {
        this(spec, "");
    }

    /**
     * Opens both devices.
     *
     * @param from the source: {@code emulated:…}, or a {@link io.vfio4j.device.DeviceAddress}
     * @param to the destination, likewise; empty for one that is like an emulated source and does not change
     * @throws IOException when a device cannot be opened
     * @throws IllegalArgumentException for a real source without a destination
     */
    public MigrationPair(String from, String to) throws IOException {
        VfioDevice opened = null;
        boolean whole = false;
        try {
            opened = devices.open(from);
            source = opened;
            destination = devices.openDestination(from, to);
            whole = true;
        } finally {
            if (!whole) {
                if (opened != null) {
                    opened.close();
                }
                devices.close();
                executor.close();
            }
        }
    }

    /**
     * Migrates once, and makes both devices ready for the next time.
     *
     * @param parameters the limits
     * @return the source's report
     * @throws IOException when the migration or a device fails
     */
    public MigrationReport migrate(MigrationParameters parameters) throws IOException {
        CompletableFuture<String> listening = new CompletableFuture<>();
        IncomingMigration incoming = new IncomingMigration(
                devices.libc(),
                VfioDeviceHandler.inOrder(destination),
                VirtualMachine.NONE,
                parameters,
                new MigrationListener() {
                    @Override
                    public void onListening(String address) {
                        listening.complete(address);
                    }
                });
        Future<LoadReport> loaded = executor.submit(() -> {
            try {
                return incoming.run(ANY_PORT);
            } finally {
                // Does nothing unless it has failed before it could listen.
                listening.complete("");
            }
        });
        OutgoingMigration outgoing = new OutgoingMigration(
                devices.libc(),
                VfioDeviceHandler.inOrder(source),
                VirtualMachine.NONE,
                parameters,
                SwitchoverPolicy.STANDARD,
                MigrationListener.NONE);
        try {
            String address = listening.join();
            if (address.isEmpty()) {
                // Throws why.
                loaded.get();
            }
            MigrationReport report = outgoing.run(TransportAddress.parse(address));
            loaded.get();
            source.setState(MigrationState.RUNNING, MigrationState.STOP);
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

    @Override
    public void close() {
        executor.close();
        source.close();
        destination.close();
        devices.close();
    }
}
