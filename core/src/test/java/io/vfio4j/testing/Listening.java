// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.testing;

import io.vfio4j.observe.MigrationListener;
import io.vfio4j.transport.TransportAddress;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Hears where a destination listens, for the source that a test starts then. */
public final class Listening implements MigrationListener {
    private final CompletableFuture<TransportAddress> heard = new CompletableFuture<>();

    @Override
    public void onListening(String address) {
        heard.complete(TransportAddress.parse(address));
    }

    /**
     * Waits until it listens.
     *
     * @param seconds for how long at the most
     * @return where
     * @throws TimeoutException when it did not
     * @throws ExecutionException never
     * @throws InterruptedException when this thread is interrupted
     */
    public TransportAddress await(long seconds) throws TimeoutException, ExecutionException, InterruptedException {
        return heard.get(seconds, TimeUnit.SECONDS);
    }
}
