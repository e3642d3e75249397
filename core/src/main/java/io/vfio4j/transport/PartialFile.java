// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.transport;

import io.vfio4j.ffm.Errno;
import io.vfio4j.ffm.LibC;
import io.vfio4j.transport.TransportException.Problem;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/** A file of this host: until its commit it is {@code NAME.*.partial} beside its final place. */
final class PartialFile implements OutgoingFile {
    private final LibC libc;
    private final TransportAddress.File address;
    private final Path partial;
    private final FileOutput channel;
    private final Connection connection;
    private @Nullable PlacedChannel places;
    private boolean done;
    private boolean committed;

    private PartialFile(
            LibC libc, TransportAddress.File address, Path partial, FileOutput channel, Connection connection) {
        this.libc = libc;
        this.address = address;
        this.partial = partial;
        this.channel = channel;
        this.connection = connection;
    }

    /** Makes a file to write to. */
    static PartialFile create(LibC libc, TransportAddress.File address, Watchdog watchdog) throws TransportException {
        refuseToReplace(address);
        try {
            Path target = address.path().toAbsolutePath();
            Path partial = Files.createTempFile(target.getParent(), target.getFileName() + ".", ".partial");
            FileOutput channel = open(libc, address, partial);
            return new PartialFile(
                    libc,
                    address,
                    partial,
                    channel,
                    new ChannelConnection(channel, address.toString(), ChannelConnection.NO_LIMIT, watchdog));
        } catch (IOException e) {
            throw new TransportException(
                    Problem.UNREACHABLE, address + ": cannot be made: " + SystemTransport.reason(e), e);
        }
    }

    private static FileOutput open(LibC libc, TransportAddress.File address, Path partial) throws IOException {
        try {
            return address.direct() ? DirectChannel.open(libc, partial) : FileOutput.cached(partial);
        } catch (IOException e) {
            delete(partial);
            throw e;
        }
    }

    @Override
    public Connection connection() {
        return connection;
    }

    @Override
    public PlacedOutput places(long resumeAt) throws TransportException {
        int direct = address.direct() ? DirectChannel.directFlag() : 0;
        int fd = libc.open(partial.toString(), LibC.O_WRONLY | LibC.O_CLOEXEC | direct);
        if (fd < 0) {
            throw new TransportException(
                    Problem.FAILED, address + ": cannot be opened again: " + Errno.describe(fd), null);
        }
        PlacedChannel opened = new PlacedChannel(libc, fd, address.toString());
        places = opened;
        try {
            channel.goOnAt(resumeAt);
        } catch (IOException e) {
            throw new TransportException(Problem.FAILED, "writing to " + address + " failed: " + e.getMessage(), e);
        }
        return opened;
    }

    @Override
    public void force() throws TransportException {
        try {
            channel.force();
        } catch (IOException e) {
            throw new TransportException(Problem.FAILED, address + ": cannot be brought to disk: " + e.getMessage(), e);
        }
    }

    @Override
    public void commit() throws TransportException {
        refuseToReplace(address);
        try {
            move();
            done = true;
            committed = true;
            forceFolder();
        } catch (FileAlreadyExistsException e) {
            throw existsAlready(address);
        } catch (IOException e) {
            throw new TransportException(
                    Problem.FAILED, address + ": cannot get its name: " + SystemTransport.reason(e), e);
        }
    }

    @Override
    public boolean isCommitted() {
        return committed;
    }

    /** The name is on disk only when the folder is: the source gives the device up for it. */
    private void forceFolder() throws IOException {
        Path folder = address.path().toAbsolutePath().getParent();
        try (FileChannel entries = FileChannel.open(folder == null ? Path.of("/") : folder, StandardOpenOption.READ)) {
            entries.force(true);
        }
    }

    @Override
    public void discard() {
        close();
        if (committed) {
            committed = false;
            delete(address.path());
        }
    }

    /**
     * A hard link fails where a file has that name by now; a rename would replace it. Not every file system has links.
     */
    private void move() throws IOException {
        try {
            Files.createLink(address.path(), partial);
            delete(partial);
        } catch (FileAlreadyExistsException e) {
            throw e;
        } catch (UnsupportedOperationException | FileSystemException e) {
            Files.move(partial, address.path());
        }
    }

    private static void refuseToReplace(TransportAddress.File address) throws TransportException {
        if (Files.exists(address.path())) {
            throw existsAlready(address);
        }
    }

    private static TransportException existsAlready(TransportAddress.File address) {
        return new TransportException(
                Problem.UNREACHABLE, address + ": exists already; remove it or choose another name", null);
    }

    @Override
    public void close() {
        connection.close();
        if (places != null) {
            places.close();
        }
        if (!done) {
            done = true;
            delete(partial);
        }
    }

    private static void delete(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // It stays; where it is partial, its name says so.
            return;
        }
    }
}
