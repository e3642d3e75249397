// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.device.VfioDevice;
import io.vfio4j.emulator.Loopback;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.observe.MigrationReport;
import java.io.IOException;
import java.util.List;

/**
 * Two devices, and migrations from the one to the other over loopback TCP in this process.
 *
 * <p>One thread at a time; closed by whoever made it.
 */
public final class MigrationPair implements AutoCloseable {
    private final Devices devices = new Devices();
    private final VfioDevice source;
    private final VfioDevice destination;
    private final Loopback loopback = new Loopback();

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
                loopback.close();
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
        return loopback.migrate(devices.libc(), List.of(source), List.of(destination), parameters, parameters);
    }

    @Override
    public void close() {
        loopback.close();
        source.close();
        destination.close();
        devices.close();
    }
}
