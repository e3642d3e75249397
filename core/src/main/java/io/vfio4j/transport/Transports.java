// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import io.vfio4j.transport.TransportException.Problem;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.UnresolvedAddressException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** Opens connections by address. */
public final class Transports {
    private Transports() {}

    /**
     * Connects to a peer that listens.
     *
     * @param address the peer
     * @param limit how long connecting, and later each call, may wait for the peer
     * @param watchdog what bounds the waits; closed by its owner after the connection
     * @return the connection, which the caller closes
     * @throws TransportException {@code UNREACHABLE} where nobody listens there or the name is unknown
     */
    public static Connection connect(TransportAddress.Peer address, Duration limit, Watchdog watchdog)
            throws TransportException {
        SocketChannel channel = null;
        try {
            switch (address) {
                case TransportAddress.Tcp tcp -> {
                    channel = SocketChannel.open();
                    channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
                    // 0 would be no limit.
                    int millis = Math.max(1, Math.toIntExact(limit.toMillis()));
                    channel.socket().connect(new InetSocketAddress(tcp.host(), tcp.port()), millis);
                }
                case TransportAddress.Unix unix -> {
                    channel = SocketChannel.open(StandardProtocolFamily.UNIX);
                    connectUnix(channel, unix, limit, watchdog);
                }
            }
            return new Connection(channel, address.toString(), limit, watchdog);
        } catch (IOException | UnresolvedAddressException e) {
            closeQuietly(channel);
            throw new TransportException(Problem.UNREACHABLE, address + ": cannot connect: " + reason(e), e);
        }
    }

    /** Connecting waits where the listener's backlog is full, and knows no time limit of its own. */
    private static void connectUnix(
            SocketChannel channel, TransportAddress.Unix address, Duration limit, Watchdog watchdog)
            throws IOException {
        Watchdog.Bound bound = watchdog.bound(channel);
        bound.begin(limit);
        try {
            channel.connect(UnixDomainSocketAddress.of(address.path()));
        } catch (ClosedChannelException e) {
            throw bound.overdue() ? new SocketTimeoutException() : e;
        } finally {
            bound.end();
            bound.release();
        }
    }

    /**
     * Opens a file to read a saved state from.
     *
     * @param address the file
     * @param limit how long each call may take
     * @param watchdog what bounds the waits; closed by its owner after the connection
     * @return the file as a connection, which the caller closes
     * @throws TransportException {@code UNREACHABLE} where it is no readable file
     */
    public static Connection openFile(TransportAddress.File address, Duration limit, Watchdog watchdog)
            throws TransportException {
        if (!Files.isRegularFile(address.path())) {
            throw new TransportException(Problem.UNREACHABLE, address + ": no such file", null);
        }
        try {
            return new Connection(
                    FileChannel.open(address.path(), StandardOpenOption.READ), address.toString(), limit, watchdog);
        } catch (IOException e) {
            throw new TransportException(Problem.UNREACHABLE, address + ": cannot be read: " + reason(e), e);
        }
    }

    static String reason(Exception e) {
        if (e instanceof SocketTimeoutException) {
            return "no answer in time";
        }
        if (e instanceof UnresolvedAddressException || e instanceof UnknownHostException) {
            return "unknown host";
        }
        if (e instanceof NoSuchFileException) {
            return "no such folder";
        }
        if (e instanceof AccessDeniedException) {
            return "permission denied";
        }
        if (e instanceof ConnectException) {
            return "nobody listens there; start the receiving side first";
        }
        String message = e.getMessage();
        return message == null ? e.getClass().getSimpleName() : message;
    }

    private static void closeQuietly(@Nullable SocketChannel channel) {
        if (channel != null) {
            try {
                channel.close();
            } catch (IOException e) {
                // The failure to connect is what the caller is told.
                return;
            }
        }
    }
}
