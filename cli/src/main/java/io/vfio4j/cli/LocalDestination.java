// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.IncomingMigration;
import io.vfio4j.migration.MigrationParameters;
import io.vfio4j.migration.StateHandler;
import io.vfio4j.migration.VirtualMachine;
import io.vfio4j.observe.LoadReport;
import io.vfio4j.observe.MigrationListener;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The destination's side, on a thread of its own. */
final class LocalDestination {
    /** How long the destination may take to listen; also how long it waits for its source in this process. */
    static final Duration LISTEN_LIMIT = Duration.ofSeconds(30);

    private final IncomingMigration migration;
    private final CompletableFuture<TransportAddress> listening = new CompletableFuture<>();
    private final CompletableFuture<LoadReport> end = new CompletableFuture<>();

    LocalDestination(
            LibC libc,
            List<? extends StateHandler> handlers,
            MigrationParameters parameters,
            Consumer<String> notices) {
        migration = new IncomingMigration(libc, handlers, VirtualMachine.NONE, parameters, new MigrationListener() {
            @Override
            public void onListening(String address) {
                listening.complete(TransportAddress.parse(address));
            }

            @Override
            public void onNotice(String text) {
                notices.accept("destination: " + text);
            }
        });
    }

    void start(TransportAddress address) {
        Thread.ofPlatform().name("vfio4j-dest").daemon().start(() -> {
            try {
                end.complete(migration.run(address));
            } catch (IOException | RuntimeException | Error e) {
                listening.completeExceptionally(e);
                end.completeExceptionally(e);
            }
        });
    }

    boolean cancel() {
        return migration.cancel();
    }

    TransportAddress awaitListening() throws IOException {
        try {
            return listening.get(LISTEN_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            throw asFailure(e.getCause());
        } catch (TimeoutException e) {
            throw new IOException("the destination did not begin to listen", e);
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    /** Waits for the end, good or bad; the outcome is in report() and failure(). */
    void awaitEnd(Duration limit) {
        try {
            end.get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            return;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Nullable
    LoadReport report() {
        return end.isDone() && !end.isCompletedExceptionally() ? end.join() : null;
    }

    boolean hasFailed() {
        return end.isCompletedExceptionally();
    }

    @Nullable
    IOException failure() {
        if (!end.isDone()) {
            return new IOException("the destination did not end in time");
        }
        return end.isCompletedExceptionally() ? asFailure(end.exceptionNow()) : null;
    }

    private static IOException asFailure(@Nullable Throwable cause) {
        return cause instanceof IOException failure ? failure : new IOException("unexpected: " + cause, cause);
    }

    private static IOException interrupted(InterruptedException e) {
        Thread.currentThread().interrupt();
        return new IOException("interrupted", e);
    }
}
