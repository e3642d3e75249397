// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A server that is no vfio4j: it says the same to all who connect, or closes at once, or is silent. */
final class TestPeer implements AutoCloseable {
    private final ServerSocket server;
    private final List<Socket> accepted = new CopyOnWriteArrayList<>();
    private final Thread thread;

    private TestPeer(byte[] answer, boolean close) throws IOException {
        server = new ServerSocket(0, 8, InetAddress.getLoopbackAddress());
        thread = Thread.ofPlatform().daemon().start(() -> {
            try {
                while (true) {
                    Socket socket = server.accept();
                    accepted.add(socket);
                    socket.getOutputStream().write(answer);
                    if (close) {
                        socket.close();
                    }
                }
            } catch (IOException e) {
                // The test is over, or whoever connected is gone.
                return;
            }
        });
    }

    static TestPeer saying(byte[] answer) throws IOException {
        return new TestPeer(answer, false);
    }

    static TestPeer silent() throws IOException {
        return new TestPeer(new byte[0], false);
    }

    static TestPeer closing() throws IOException {
        return new TestPeer(new byte[0], true);
    }

    String address() {
        return "tcp:127.0.0.1:" + server.getLocalPort();
    }

    /** Connects to a receiving command, says something and leaves the connection open; the caller closes it. */
    static Socket connect(String address, byte[] words) throws IOException {
        int colon = address.lastIndexOf(':');
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), Integer.parseInt(address.substring(colon + 1)));
        socket.getOutputStream().write(words);
        return socket;
    }

    @Override
    public void close() throws IOException, InterruptedException {
        server.close();
        for (Socket socket : accepted) {
            socket.close();
        }
        thread.join();
    }
}
