// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.StateHandler.PageRange;
import io.vfio4j.stream.FrameKind;
import io.vfio4j.stream.Message;
import io.vfio4j.stream.PageTable;
import io.vfio4j.stream.StreamException;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.transport.Transport;
import io.vfio4j.transport.TransportAddress;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Whole files, byte by byte, against those that another encoder wrote from docs/stream-format.md. */
@ExtendWith(LeakCheck.class)
class OutgoingFileLinkTest {
    private static final UUID MIGRATION = UUID.fromString("01234567-89ab-cdef-fedc-ba9876543210");
    private static final int CHUNK = 1 << 20;
    private static final int PAGE = PageTable.PAGE_BYTES;
    private static final byte[] DATA = "state of a device".getBytes(StandardCharsets.US_ASCII);
    private static final Message.Offer NET = new Message.Offer(
            "net0", "vfio", 1, Map.of("type", "pci:15b3:101e:15b3:0058", "driver", "mlx5_vfio_pci", "features", "7"));
    private static final Message.Offer CLOCK = new Message.Offer("clock", "small", 3, Map.of());
    private static final Message.Offer RAM = new Message.Offer("ram", "memory", 1, Map.of());
    private static final List<PageRange> RANGES = List.of(new PageRange(0, 0, 3), new PageRange(2, 7, 2));

    @TempDir
    private Path folder = Path.of("");

    private final PageTable.Writer table = new PageTable.Writer();

    /** What is sent between HELLO and the end of the file. */
    private interface Sending {
        void send(OutgoingLink link, BufferPool pool) throws IOException;
    }

    private byte[] written(List<Message.Offer> offers, List<List<PageRange>> pages, Sending sending)
            throws IOException {
        Path file = folder.resolve("state");
        Execution execution = new ThreadedExecution(LibC.system(), ThreadedExecution.OWN_THREADS);
        try (Transport transport = execution.openTransport();
                BufferPool pool = new BufferPool(LibC.system(), 1, CHUNK, false)) {
            OutgoingFileLink link =
                    new OutgoingFileLink(LibC.system(), new TransportAddress.File(file), execution, transport);
            try {
                link.negotiate(new Message.Hello(MIGRATION, CHUNK, offers), pages);
                sending.send(link, pool);
                link.awaitLoaded();
                link.commit();
            } finally {
                link.free();
            }
        }
        return Files.readAllBytes(file);
    }

    private static void data(OutgoingLink link, int stream, BufferPool pool) throws IOException {
        PooledBuffer chunk = Objects.requireNonNull(pool.tryAcquire());
        try {
            chunk.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + DATA.length)
                    .put(DATA);
            chunk.length(DATA.length);
            link.data(stream).sendData(chunk);
        } finally {
            pool.release(chunk);
        }
    }

    private void pages(OutgoingLink link, BufferPool pool, List<MemorySegment> pages, Runnable runs)
            throws IOException {
        PooledBuffer chunk = Objects.requireNonNull(pool.tryAcquire());
        try {
            table.begin(chunk);
            runs.run();
            chunk.length(table.length());
            chunk.pages(pages);
            link.data(1).sendData(chunk);
        } finally {
            pool.release(chunk);
        }
    }

    private void present(int region, long first, MemorySegment memory) {
        table.present(region, first);
        for (long at = 0; at < memory.byteSize(); at += PAGE) {
            CRC32C crc = new CRC32C();
            crc.update(memory.asSlice(at, PAGE).asByteBuffer());
            table.page((int) crc.getValue());
        }
    }

    private static MemorySegment filled(int... values) {
        MemorySegment memory = Arena.ofAuto().allocate((long) values.length * PAGE, PAGE);
        for (int i = 0; i < values.length; i++) {
            memory.asSlice((long) i * PAGE, PAGE).fill((byte) values[i]);
        }
        return memory;
    }

    private static byte[] golden(String name) throws IOException {
        try (InputStream file = Objects.requireNonNull(
                OutgoingFileLinkTest.class.getResourceAsStream("/io/vfio4j/stream/" + name), name)) {
            return file.readAllBytes();
        }
    }

    @Test
    void shouldWriteAFileWithoutMemoryAsFramesAndNothingElse() throws IOException {
        byte[] file = written(List.of(NET, CLOCK), List.of(List.of(), List.of()), (link, pool) -> {
            data(link, 1, pool);
            link.data(1).send(FrameKind.SWITCHOVER);
            link.data(1).sendEnd();
            link.data(2).sendEnd();
        });

        assertThat(file).isEqualTo(golden("file.bin"));
    }

    @Test
    void shouldWriteWhatAPageWasLastIntoItsPlaceAndListItOnce() throws IOException {
        byte[] file = written(List.of(RAM, CLOCK), List.of(RANGES, List.of()), (link, pool) -> {
            MemorySegment before = filled(0x77, 0x66, 0x55);
            pages(link, pool, List.of(before), () -> present(0, 0, before));
            pages(link, pool, List.of(), () -> table.zero(2, 7, 2));
            data(link, 2, pool);
            MemorySegment first = filled(0x11);
            MemorySegment last = filled(0x22, 0x33);
            pages(link, pool, List.of(first, last), () -> {
                present(0, 0, first);
                table.zero(0, 1, 2);
                present(2, 7, last);
            });
            link.data(1).sendEnd();
            link.data(2).sendEnd();
        });

        assertThat(file).isEqualTo(golden("file-with-memory.bin"));
    }

    @Test
    void shouldRefusePagesThatHaveNoPlace() throws IOException {
        written(
                List.of(RAM),
                List.of(RANGES),
                (link, pool) -> assertThatThrownBy(() -> pages(link, pool, List.of(), () -> table.zero(2, 8, 2)))
                        .isInstanceOf(StreamException.class)
                        .hasMessage("there is no place for 2 pages from page 8 of region number 2"));
    }
}
