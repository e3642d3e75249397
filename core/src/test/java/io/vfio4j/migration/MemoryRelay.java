// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import io.vfio4j.stream.Frame;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.PageTable;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** A network between source and destination that changes pages on their way, or fails in their midst. */
final class MemoryRelay implements AutoCloseable {
    private static final int KIND_AT = 5;
    private static final int LENGTH_AT = 8;

    /** What happens to pages. */
    @FunctionalInterface
    interface Change {
        /** Changes pages; returns how many of the bytes arrive, before the connection fails if those are not all. */
        int apply(int frame, byte[] pages);
    }

    private final Change change;
    private final ServerSocket server;
    private final AtomicInteger frames = new AtomicInteger();
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();
    private final List<Thread> threads = new CopyOnWriteArrayList<>();
    private volatile int destinationPort;

    MemoryRelay(Change change) throws IOException {
        this.change = change;
        this.server = new ServerSocket(0, 8, InetAddress.getLoopbackAddress());
        run(this::accept);
    }

    /** Where the source is to connect to, once the destination listens. */
    String to(String destination) {
        destinationPort = Integer.parseInt(destination.substring(destination.lastIndexOf(':') + 1));
        return "tcp:127.0.0.1:" + server.getLocalPort();
    }

    /** How many frames of pages went. */
    int frames() {
        return frames.get();
    }

    @Override
    public void close() throws IOException, InterruptedException {
        server.close();
        closeSockets();
        for (Thread thread : threads) {
            thread.join();
        }
    }

    private void closeSockets() throws IOException {
        for (Socket socket : sockets) {
            socket.close();
        }
    }

    private void accept() throws IOException {
        while (true) {
            Socket source = server.accept();
            sockets.add(source);
            Socket destination = new Socket(InetAddress.getLoopbackAddress(), destinationPort);
            sockets.add(destination);
            run(() -> relay(source, destination));
            run(() -> {
                destination.getInputStream().transferTo(source.getOutputStream());
                source.shutdownOutput();
            });
        }
    }

    private void relay(Socket source, Socket destination) throws IOException {
        DataInputStream in = new DataInputStream(source.getInputStream());
        OutputStream out = destination.getOutputStream();
        try {
            while (true) {
                byte[] header = new byte[Frame.HEADER_BYTES];
                in.readFully(header);
                byte[] payload = new byte
                        [ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN).getInt(LENGTH_AT)];
                in.readFully(payload);
                out.write(header);
                out.write(payload);
                if (header[KIND_AT] == FrameKind.PAGES.code()) {
                    byte[] pages = new byte[pageBytes(payload)];
                    in.readFully(pages);
                    int arrive = change.apply(frames.getAndIncrement(), pages);
                    out.write(pages, 0, arrive);
                    if (arrive < pages.length) {
                        closeSockets();
                    }
                }
            }
        } finally {
            destination.shutdownOutput();
        }
    }

    private static int pageBytes(byte[] payload) throws IOException {
        PageTable.Reader reader = new PageTable.Reader();
        reader.begin(ByteBuffer.wrap(payload).order(ByteOrder.LITTLE_ENDIAN));
        int bytes = 0;
        while (reader.next()) {
            bytes += reader.isPresent() ? reader.count() * PageTable.PAGE_BYTES : 0;
        }
        return bytes;
    }

    /** What one of its threads does. */
    private interface Work {
        void run() throws IOException;
    }

    private void run(Work work) {
        Thread thread = new Thread(
                () -> {
                    try {
                        work.run();
                    } catch (IOException e) {
                        // The end of a connection, which is for the two sides to notice.
                        return;
                    }
                },
                "memory-relay");
        threads.add(thread);
        thread.start();
    }
}
