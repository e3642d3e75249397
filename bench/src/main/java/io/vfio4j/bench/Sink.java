// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.bench;

import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.ffm.LibC;
import io.vfio4j.stream.FrameEncoder;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.transport.Connection;
import io.vfio4j.transport.Listener;
import io.vfio4j.transport.OutgoingFile;
import io.vfio4j.transport.SystemTransport;
import io.vfio4j.transport.Transport;
import io.vfio4j.transport.TransportAddress;
import io.vfio4j.transport.TransportException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * Where {@link SaveThroughput} puts a state. One thread; closed by whoever made it.
 *
 * <p>A state begins by {@link #begin} and ends by {@link #end}.
 */
abstract class Sink implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final int STREAM = 1;

    private Sink() {}

    static Sink of(SaveThroughput.Target kind) throws IOException {
        return switch (kind) {
            case NULL -> new Nowhere();
            case FILE -> new ToFile();
            case TCP -> new ToPeer(null);
            case UNIX -> new ToPeer(Files.createTempDirectory("vfio4j-bench"));
        };
    }

    /** Begins a state. */
    void begin() throws IOException {}

    /** Takes the next piece. */
    abstract void write(PooledBuffer chunk) throws IOException;

    /** Ends a state. */
    void end() throws IOException {}

    @Override
    public abstract void close() throws IOException;

    private static final class Nowhere extends Sink {
        @Override
        void write(PooledBuffer chunk) {}

        @Override
        public void close() {}
    }

    private static final class ToFile extends Sink {
        private final ExecutorService threads = Executors.newCachedThreadPool();
        private final Transport transport = new SystemTransport(LibC.system(), threads);
        private final Path folder = Files.createTempDirectory("vfio4j-bench");
        private FrameEncoder encoder = new FrameEncoder(STREAM);
        private @Nullable OutgoingFile file;

        ToFile() throws IOException {}

        @Override
        void begin() throws IOException {
            encoder = new FrameEncoder(STREAM);
            file = transport.createFile(new TransportAddress.File(folder.resolve("state")));
        }

        @Override
        void write(PooledBuffer chunk) throws IOException {
            if (file == null) {
                throw new IllegalStateException("a state begins by begin()");
            }
            file.connection().write(encoder.encode(chunk, FrameKind.DATA));
        }

        @Override
        void end() {
            if (file != null) {
                file.discard();
            }
        }

        @Override
        public void close() throws IOException {
            end();
            transport.close();
            threads.close();
            Files.delete(folder);
        }
    }

    /** One connection for all states, so that what is measured is not the connecting. */
    private static final class ToPeer extends Sink {
        private static final int SCRATCH = 1 << 20;

        private final ExecutorService threads = Executors.newCachedThreadPool();
        private final Transport transport = new SystemTransport(LibC.system(), threads);
        private final @Nullable Path folder;
        private final FrameEncoder encoder = new FrameEncoder(STREAM);
        private final Connection connection;
        private final Future<?> drained;

        /** Connects by a Unix socket in a folder that this owns from now on, or by TCP where there is none. */
        ToPeer(@Nullable Path folder) throws IOException {
            this.folder = folder;
            TransportAddress.Peer here = folder == null
                    ? new TransportAddress.Tcp("127.0.0.1", 0)
                    : new TransportAddress.Unix(folder.resolve("socket"));
            Listener listener = transport.listen(here);
            drained = threads.submit(() -> {
                drain(listener);
                return null;
            });
            connection = transport.connect(listener.address(), LIMIT);
        }

        private static void drain(Listener listener) throws TransportException {
            try (listener;
                    Connection accepted = listener.accept(LIMIT, LIMIT)) {
                accepted.readsWait(true);
                ByteBuffer scratch = ByteBuffer.allocateDirect(SCRATCH);
                while (!accepted.atEnd(scratch.clear())) {
                    scratch.clear();
                }
            }
        }

        @Override
        void write(PooledBuffer chunk) throws IOException {
            connection.write(encoder.encode(chunk, FrameKind.DATA));
        }

        @Override
        public void close() throws IOException {
            connection.close();
            try {
                drained.get();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (ExecutionException e) {
                throw new IOException("what was written was not read", e.getCause());
            } finally {
                transport.close();
                threads.close();
                if (folder != null) {
                    Files.delete(folder);
                }
            }
        }
    }
}
