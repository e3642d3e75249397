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
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** The sockets and files of this host. */
public final class SystemTransport implements Transport {
    private final Watchdog watchdog;

    /**
     * Starts the thread that bounds the waits.
     *
     * @param executor what runs it; it ends when this is closed
     */
    public SystemTransport(Executor executor) {
        this.watchdog = new Watchdog(executor);
    }

    @Override
    public Connection connect(TransportAddress.Peer address, Duration limit) throws TransportException {
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
                    connectUnix(channel, unix, limit);
                }
            }
            return new ChannelConnection(channel, address.toString(), limit, watchdog);
        } catch (IOException | UnresolvedAddressException e) {
            closeQuietly(channel);
            throw new TransportException(Problem.UNREACHABLE, address + ": cannot connect: " + reason(e), e);
        }
    }

    /** Connecting waits where the listener's backlog is full, and knows no time limit of its own. */
    private void connectUnix(SocketChannel channel, TransportAddress.Unix address, Duration limit) throws IOException {
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

    @Override
    public Connection openFile(TransportAddress.File address, Duration limit) throws TransportException {
        if (!Files.isRegularFile(address.path())) {
            throw new TransportException(Problem.UNREACHABLE, address + ": no such file", null);
        }
        try {
            return new ChannelConnection(
                    FileChannel.open(address.path(), StandardOpenOption.READ), address.toString(), limit, watchdog);
        } catch (IOException e) {
            throw new TransportException(Problem.UNREACHABLE, address + ": cannot be read: " + reason(e), e);
        }
    }

    @Override
    public Listener listen(TransportAddress.Peer address) throws TransportException {
        return SocketListener.listen(address, watchdog);
    }

    @Override
    public OutgoingFile createFile(TransportAddress.File address, Duration limit) throws TransportException {
        return PartialFile.create(address, limit, watchdog);
    }

    @Override
    public void close() {
        watchdog.close();
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
