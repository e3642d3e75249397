// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench.scale;

import io.vfio4j.device.MigrationState;
import io.vfio4j.device.VfioDevice;
import io.vfio4j.emulator.EmulatedDevice;
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
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/** Emulated devices that migrate together to as many others, over loopback TCP in this process. */
final class Fleet implements AutoCloseable {
    private static final TransportAddress ANY_PORT = new TransportAddress.Tcp("127.0.0.1", 0);

    private final EmulatedKernel kernel = new EmulatedKernel(LibC.system(), System::nanoTime);
    private final List<EmulatedDevice> loaded = new ArrayList<>();
    private final List<VfioDevice> sources = new ArrayList<>();
    private final List<VfioDevice> destinations = new ArrayList<>();
    private volatile @Nullable OutgoingMigration outgoing;

    /** Makes so many sources of one kind, and their destinations, which do not change. */
    Fleet(String spec, int count) throws IOException {
        EmulatedDeviceSpec parsed = EmulatedDeviceSpec.parse(spec);
        for (int i = 0; i < count; i++) {
            sources.add(kernel.add(parsed).open());
            EmulatedDevice destination = kernel.add(parsed.withDirtyRate(0));
            loaded.add(destination);
            destinations.add(destination.open());
        }
    }

    /** The destinations, to make them slow. */
    List<EmulatedDevice> destinations() {
        return loaded;
    }

    /** As the other one, with the same parameters at both sides. */
    MigrationReport migrate(MigrationParameters parameters) throws IOException {
        return migrate(parameters, parameters);
    }

    /** Migrates all once, and makes them ready for the next time. */
    MigrationReport migrate(MigrationParameters here, MigrationParameters there) throws IOException {
        CompletableFuture<String> listening = new CompletableFuture<>();
        IncomingMigration incoming = new IncomingMigration(
                kernel, handlers(destinations), VirtualMachine.NONE, there, new MigrationListener() {
                    @Override
                    public void onListening(String address) {
                        listening.complete(address);
                    }
                });
        OutgoingMigration source = new OutgoingMigration(
                kernel,
                handlers(sources),
                VirtualMachine.NONE,
                here,
                SwitchoverPolicy.STANDARD,
                MigrationListener.NONE);
        outgoing = source;
        try (ExecutorService executor = Executors.newSingleThreadExecutor()) {
            Future<LoadReport> loading = executor.submit(() -> incoming.run(ANY_PORT));
            try {
                MigrationReport report = source.run(TransportAddress.parse(listening.join()));
                loading.get();
                for (VfioDevice device : sources) {
                    device.setState(MigrationState.RUNNING, MigrationState.STOP);
                }
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
    }

    private static List<VfioDeviceHandler> handlers(List<VfioDevice> devices) {
        return VfioDeviceHandler.inOrder(devices.toArray(VfioDevice[]::new));
    }

    /** Gives up the migration that is under way, from another thread. */
    void cancel() {
        OutgoingMigration running = outgoing;
        if (running != null) {
            running.cancel();
        }
    }

    @Override
    public void close() {
        sources.forEach(VfioDevice::close);
        destinations.forEach(VfioDevice::close);
        kernel.close();
    }
}
