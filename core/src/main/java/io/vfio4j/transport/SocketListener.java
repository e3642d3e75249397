// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import io.vfio4j.transport.TransportException.Problem;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.UnresolvedAddressException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A listening socket of this host. */
final class SocketListener implements Listener {
    private final ServerSocketChannel channel;
    private final TransportAddress.Peer address;
    private final Watchdog watchdog;
    private final Watchdog.Bound bound;
    private final @Nullable Path socketFile;

    private SocketListener(
            ServerSocketChannel channel, TransportAddress.Peer address, Watchdog watchdog, @Nullable Path socketFile) {
        this.channel = channel;
        this.address = address;
        this.watchdog = watchdog;
        this.socketFile = socketFile;
        this.bound = watchdog.bound(channel);
    }

    /** Begins to listen. */
    static SocketListener listen(TransportAddress.Tcp address, Watchdog watchdog) throws TransportException {
        try {
            ServerSocketChannel channel = ServerSocketChannel.open();
            bind(channel, new InetSocketAddress(address.host(), address.port()));
            int port = ((InetSocketAddress) channel.getLocalAddress()).getPort();
            return new SocketListener(channel, new TransportAddress.Tcp(address.host(), port), watchdog, null);
        } catch (IOException | UnresolvedAddressException e) {
            throw cannotListen(address, e, "");
        }
    }

    /** Begins to listen. */
    static SocketListener listen(TransportAddress.Unix address, Watchdog watchdog) throws TransportException {
        try {
            ServerSocketChannel channel = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            bind(channel, UnixDomainSocketAddress.of(address.path()));
            return new SocketListener(channel, address, watchdog, address.path());
        } catch (IOException e) {
            String hint = Files.exists(address.path()) ? "; the file exists: remove it if nobody listens there" : "";
            throw cannotListen(address, e, hint);
        }
    }

    private static TransportException cannotListen(TransportAddress address, Exception e, String hint) {
        return new TransportException(
                Problem.UNREACHABLE, address + ": cannot listen: " + SystemTransport.reason(e) + hint, e);
    }

    private static void bind(ServerSocketChannel channel, SocketAddress to) throws IOException {
        try {
            channel.bind(to);
        } catch (IOException | UnresolvedAddressException e) {
            channel.close();
            throw e;
        }
    }

    @Override
    public TransportAddress.Peer address() {
        return address;
    }

    @Override
    public Connection accept(Duration wait, Duration limit) throws TransportException {
        if (wait.isNegative() || wait.isZero()) {
            // Where peers queue up, accept would not wait, and the time would never be over.
            close();
            throw new TransportException(Problem.TIMED_OUT, address + ": nobody connected in time", null);
        }
        bound.begin(wait);
        try {
            return connection(channel.accept(), limit);
        } catch (IOException e) {
            if (bound.overdue()) {
                throw new TransportException(Problem.TIMED_OUT, address + ": nobody connected in time", e);
            }
            throw new TransportException(Problem.ENDED, address + ": stopped listening", e);
        } finally {
            bound.end();
        }
    }

    private Connection connection(SocketChannel accepted, Duration limit) throws IOException {
        try {
            if (address instanceof TransportAddress.Tcp) {
                accepted.setOption(StandardSocketOptions.TCP_NODELAY, true);
            }
            return new ChannelConnection(accepted, peerName(accepted), limit, watchdog);
        } catch (IOException e) {
            accepted.close();
            throw e;
        }
    }

    private String peerName(SocketChannel accepted) throws IOException {
        if (accepted.getRemoteAddress() instanceof InetSocketAddress remote) {
            return new TransportAddress.Tcp(remote.getAddress().getHostAddress(), remote.getPort()).toString();
        }
        return address.toString();
    }

    @Override
    public void close() {
        bound.release();
        try {
            channel.close();
            if (socketFile != null) {
                Files.deleteIfExists(socketFile);
            }
        } catch (IOException e) {
            // A socket file that stays is named by the next listen() that it stands in the way of.
            bound.end();
        }
    }
}
