// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import io.vfio4j.ffm.LibC;
import io.vfio4j.transport.TransportException.Problem;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.ByteChannel;
import java.nio.channels.InterruptibleChannel;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/** Connections that somebody else has opened, handed out one after the other: to who connects and to who accepts. */
final class GivenConnections implements Listener {
    /** A channel, and whom to name in messages. */
    private record Given(ByteChannel channel, String peer) {}

    private final TransportAddress.Given address;
    private final Watchdog watchdog;
    private final Queue<Given> left = new ArrayDeque<>();

    private GivenConnections(TransportAddress.Given address, Watchdog watchdog) {
        this.address = address;
        this.watchdog = watchdog;
    }

    /** Takes all of them, or none where one cannot be used. */
    static GivenConnections take(LibC libc, TransportAddress.Given address, Watchdog watchdog)
            throws TransportException {
        GivenConnections taken = new GivenConnections(address, watchdog);
        switch (address) {
            case TransportAddress.Fds fds -> taken.open(libc, fds);
            case TransportAddress.Channels channels -> taken.check(channels);
        }
        return taken;
    }

    private void open(LibC libc, TransportAddress.Fds fds) throws TransportException {
        for (int fd : fds.fds()) {
            FdChannel.check(libc, fd);
        }
        boolean all = false;
        try {
            for (int fd : fds.fds()) {
                left.add(new Given(FdChannel.open(libc, fd), "fd:" + fd));
            }
            all = true;
        } finally {
            if (!all) {
                close();
            }
        }
    }

    private void check(TransportAddress.Channels channels) throws TransportException {
        for (ByteChannel channel : channels.channels()) {
            String name = "channel " + (left.size() + 1) + " of " + channels.count();
            try {
                String problem = problem(channel);
                if (problem != null) {
                    throw unusable(name, problem, null);
                }
                left.add(new Given(channel, peer(channel, name)));
            } catch (TransportException e) {
                throw e;
            } catch (IOException e) {
                throw unusable(name, SystemTransport.reason(e), e);
            }
        }
    }

    private static TransportException unusable(String name, String problem, @Nullable IOException cause) {
        return new TransportException(Problem.UNREACHABLE, name + ": cannot be used: " + problem, cause);
    }

    private static @Nullable String problem(ByteChannel channel) {
        if (!channel.isOpen()) {
            return "it is closed";
        }
        if (channel instanceof SocketChannel socket && !socket.isConnected()) {
            return "it is not connected";
        }
        if (channel instanceof SelectableChannel selectable && !selectable.isBlocking()) {
            return "it does not block; call configureBlocking(true)";
        }
        return channel instanceof InterruptibleChannel
                ? null
                : "closing it ends no call that blocks, for it is no InterruptibleChannel";
    }

    private static String peer(ByteChannel channel, String name) throws IOException {
        if (channel instanceof SocketChannel socket && socket.getRemoteAddress() instanceof InetSocketAddress remote) {
            socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
            return new TransportAddress.Tcp(remote.getAddress().getHostAddress(), remote.getPort()).toString();
        }
        return name;
    }

    /** Hands out the next one, which is whoever's who called. */
    synchronized Connection next(Duration limit) throws TransportException {
        Given next = left.poll();
        if (next == null) {
            throw new TransportException(Problem.UNREACHABLE, address + ": no connection is left", null);
        }
        return new ChannelConnection(next.channel, next.peer, limit, watchdog);
    }

    @Override
    public TransportAddress.Peer address() {
        return address;
    }

    /** Does not wait: whoever is at the other end may have nothing to say yet. */
    @Override
    public Connection accept(Duration wait, Duration limit) throws TransportException {
        return next(limit);
    }

    /** Closes those that were not handed out. */
    @Override
    public synchronized void close() {
        for (Given given = left.poll(); given != null; given = left.poll()) {
            SystemTransport.closeQuietly(given.channel);
        }
    }
}
