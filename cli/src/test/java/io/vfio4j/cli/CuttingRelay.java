// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import io.vfio4j.stream.Frame;
import io.vfio4j.stream.FrameKind;
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

/** A network between source and destination that fails for good when the source sends a frame of a given kind. */
final class CuttingRelay implements AutoCloseable {
    private static final int KIND_AT = 5;
    private static final int LENGTH_AT = 8;

    private final int destinationPort;
    private final FrameKind lost;
    private final ServerSocket server;
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();
    private final List<Thread> threads = new CopyOnWriteArrayList<>();

    /**
     * Relays to a receiving command.
     *
     * @param destination what it listens on, {@code tcp:host:port}
     * @param lost the first kind of frame that does not arrive
     */
    CuttingRelay(String destination, FrameKind lost) throws IOException {
        this.destinationPort = Integer.parseInt(destination.substring(destination.lastIndexOf(':') + 1));
        this.lost = lost;
        this.server = new ServerSocket(0, 8, InetAddress.getLoopbackAddress());
        run(this::accept);
    }

    String address() {
        return "tcp:127.0.0.1:" + server.getLocalPort();
    }

    @Override
    public void close() throws IOException, InterruptedException {
        server.close();
        cut();
        for (Thread thread : threads) {
            thread.join();
        }
    }

    private void accept() throws IOException {
        while (true) {
            Socket source = server.accept();
            sockets.add(source);
            Socket destination = new Socket(InetAddress.getLoopbackAddress(), destinationPort);
            sockets.add(destination);
            run(() -> relayFrames(source, destination));
            run(() -> destination.getInputStream().transferTo(source.getOutputStream()));
        }
    }

    private void relayFrames(Socket source, Socket destination) throws IOException {
        DataInputStream in = new DataInputStream(source.getInputStream());
        OutputStream out = destination.getOutputStream();
        byte[] header = new byte[Frame.HEADER_BYTES];
        while (true) {
            in.readFully(header);
            if (header[KIND_AT] == lost.code()) {
                cut();
                return;
            }
            byte[] payload = new byte
                    [ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN).getInt(LENGTH_AT)];
            in.readFully(payload);
            out.write(header);
            out.write(payload);
        }
    }

    private void cut() throws IOException {
        for (Socket socket : sockets) {
            socket.close();
        }
    }

    private void run(Relaying relaying) {
        threads.add(Thread.ofPlatform().daemon().start(() -> {
            try {
                relaying.run();
            } catch (IOException e) {
                // One of the two has hung up, or the network has failed as it should.
                return;
            }
        }));
    }

    @FunctionalInterface
    private interface Relaying {
        void run() throws IOException;
    }
}
