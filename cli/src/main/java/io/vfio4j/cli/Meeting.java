// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.cli.MigrateCommand.Loopback;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Where both sides meet. */
record Meeting(TransportAddress.Peer address, @Nullable Path folder) implements AutoCloseable {
    static Meeting of(Loopback over) throws IOException {
        if (over == Loopback.TCP) {
            return new Meeting(new TransportAddress.Tcp("127.0.0.1", 0), null);
        }
        // Made for this user alone, so nobody else can connect.
        Path folder = Files.createTempDirectory("vfio4j-");
        return new Meeting(new TransportAddress.Unix(folder.resolve("migration")), folder);
    }

    @Override
    public void close() throws IOException {
        if (folder != null) {
            Files.deleteIfExists(folder);
        }
    }
}
