// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.emulator.EmulatedDeviceSpec;
import io.vfio4j.emulator.EmulatedKernel;
import io.vfio4j.ffm.LibC;
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
 * Two emulated devices, and migrations from the one to the other over loopback TCP in this process.
 *
 * <p>One thread at a time; closed by whoever made it.
 */
public final class MigrationPair implements AutoCloseable {
    private static final TransportAddress ANY_PORT = new TransportAddress.Tcp("127.0.0.1", 0);

    private final EmulatedKernel kernel;
    private final VfioDevice source;
    private final VfioDevice destination;
    private final ExecutorService executor = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().name("destination").factory());

    /**
     * Makes both devices.
     *
     * @param spec the source, as {@link EmulatedDeviceSpec#parse} reads it; the destination is alike and does not
     *     change
     * @throws IOException when a device cannot be opened
     */
    public MigrationPair(String spec) throws IOException {
        kernel = new EmulatedKernel(LibC.system(), System::nanoTime);
        EmulatedDeviceSpec parsed = EmulatedDeviceSpec.parse(spec);
        source = kernel.add(parsed).open();
        destination = kernel.add(parsed.withDirtyRate(0)).open();
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
                kernel,
                VfioDeviceHandler.inOrder(destination),
                VirtualMachine.NONE,
                parameters,
                new MigrationListener() {
                    @Override
                    public void onListening(String address) {
                        listening.complete(address);
                    }
                });
        Future<LoadReport> loaded = executor.submit(() -> incoming.run(ANY_PORT));
        OutgoingMigration outgoing = new OutgoingMigration(
                kernel,
                VfioDeviceHandler.inOrder(source),
                VirtualMachine.NONE,
                parameters,
                SwitchoverPolicy.STANDARD,
                MigrationListener.NONE);
        try {
            MigrationReport report = outgoing.run(TransportAddress.parse(listening.join()));
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
        kernel.close();
    }
}
