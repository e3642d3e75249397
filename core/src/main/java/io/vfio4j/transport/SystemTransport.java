// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import io.vfio4j.ffm.LibC;
import io.vfio4j.transport.TransportException.Problem;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.nio.channels.Channel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.UnresolvedAddressException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** The sockets and files of this host. */
public final class SystemTransport implements Transport {
    private final LibC libc;
    private final Watchdog watchdog;
    private final Map<TransportAddress.Given, GivenConnections> given = new HashMap<>();

    /**
     * Starts the thread that bounds the waits.
     *
     * @param libc the system calls that given fds are used by, files past the page cache, and sockets without a copy
     * @param executor what runs the thread; it ends when this is closed
     */
    public SystemTransport(LibC libc, Executor executor) {
        this.libc = libc;
        this.watchdog = new Watchdog(executor);
    }

    @Override
    public Connection connect(TransportAddress.Peer address, Duration limit) throws TransportException {
        return switch (address) {
            case TransportAddress.Tcp tcp -> connect(tcp, limit);
            case TransportAddress.Unix unix -> connect(unix, limit);
            case TransportAddress.Given connections -> given(connections).next(limit);
        };
    }

    private Connection connect(TransportAddress.Tcp address, Duration limit) throws TransportException {
        SocketChannel channel = null;
        try {
            InetSocketAddress to = new InetSocketAddress(address.host(), address.port());
            if (address.zeroCopy()) {
                return new ChannelConnection(
                        ZeroCopyChannel.connect(libc, to, limit), address.toString(), limit, watchdog);
            }
            channel = SocketChannel.open();
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            // 0 would be no limit.
            int millis = Math.max(1, Math.toIntExact(limit.toMillis()));
            channel.socket().connect(to, millis);
            return new ChannelConnection(channel, address.toString(), limit, watchdog);
        } catch (IOException | UnresolvedAddressException e) {
            throw cannotConnect(address, channel, e);
        }
    }

    private Connection connect(TransportAddress.Unix address, Duration limit) throws TransportException {
        SocketChannel channel = null;
        try {
            channel = SocketChannel.open(StandardProtocolFamily.UNIX);
            connect(channel, address, limit);
            return new ChannelConnection(channel, address.toString(), limit, watchdog);
        } catch (IOException e) {
            throw cannotConnect(address, channel, e);
        }
    }

    private static TransportException cannotConnect(
            TransportAddress address, @Nullable SocketChannel channel, Exception e) {
        closeQuietly(channel);
        return new TransportException(Problem.UNREACHABLE, address + ": cannot connect: " + reason(e), e);
    }

    /** Connecting waits where the listener's backlog is full, and knows no time limit of its own. */
    private void connect(SocketChannel channel, TransportAddress.Unix address, Duration limit) throws IOException {
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
    public IncomingFile openFile(TransportAddress.File address) throws TransportException {
        if (!Files.isRegularFile(address.path())) {
            throw new TransportException(Problem.UNREACHABLE, address + ": no such file", null);
        }
        try {
            return new ReadFile(FileChannel.open(address.path(), StandardOpenOption.READ), address, watchdog);
        } catch (IOException e) {
            throw new TransportException(Problem.UNREACHABLE, address + ": cannot be read: " + reason(e), e);
        }
    }

    @Override
    public Listener listen(TransportAddress.Peer address) throws TransportException {
        return switch (address) {
            case TransportAddress.Tcp tcp -> SocketListener.listen(tcp, watchdog);
            case TransportAddress.Unix unix -> SocketListener.listen(unix, watchdog);
            case TransportAddress.Given connections -> given(connections);
        };
    }

    private synchronized GivenConnections given(TransportAddress.Given address) throws TransportException {
        GivenConnections taken = given.get(address);
        if (taken == null) {
            taken = GivenConnections.take(libc, address, watchdog);
            given.put(address, taken);
        }
        return taken;
    }

    @Override
    public OutgoingFile createFile(TransportAddress.File address) throws TransportException {
        return PartialFile.create(libc, address, watchdog);
    }

    @Override
    public synchronized void close() {
        given.values().forEach(GivenConnections::close);
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

    /** Closes what nothing was sent through that could be lost. */
    static void closeQuietly(@Nullable Channel channel) {
        if (channel != null) {
            try {
                channel.close();
            } catch (IOException e) {
                // Whatever led here is what the caller is told.
                return;
            }
        }
    }
}
