// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.buffer.BufferPool;
import io.vfio4j.buffer.PooledBuffer;
import io.vfio4j.dirty.AddressRange;
import io.vfio4j.dirty.Capability;
import io.vfio4j.dirty.Collected;
import io.vfio4j.dirty.DirtyBitmap;
import io.vfio4j.dirty.DirtyTracker;
import io.vfio4j.ffm.LibC;
import io.vfio4j.migration.Pending;
import io.vfio4j.migration.StateHandler.Precision;
import io.vfio4j.migration.StateOutput;
import io.vfio4j.migration.handler.GuestMemory.Region;
import io.vfio4j.stream.PageTable;
import io.vfio4j.stream.StreamException;
import io.vfio4j.testing.LeakCheck;
import io.vfio4j.testing.Seed;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakCheck.class)
class GuestMemoryHandlerTest {
    private static final int PAGE = GuestMemory.PAGE_BYTES;
    private static final long BASE = 1L << 32;
    private static final long NONE = -1;

    private final Seed seed = new Seed();
    private final Tracker tracker = new Tracker();
    private final MemorySegment memory = pages(64);
    private final MemorySegment loaded = pages(64);
    private final GuestMemoryHandler source = handler(memory, tracker);
    private final GuestMemoryHandler destination = handler(loaded, new Tracker());
    private Sent sent = new Sent(1 << 20);

    private static MemorySegment pages(long count) {
        return Arena.ofAuto().allocate(count * PAGE, PAGE);
    }

    private static GuestMemoryHandler handler(MemorySegment memory, DirtyTracker tracker) {
        return new GuestMemory(List.of(Region.of("ram", BASE, memory)), tracker).handler("ram");
    }

    /** Reports what it is told to. */
    private static final class Tracker implements DirtyTracker {
        final List<AddressRange> dirty = new ArrayList<>();
        final List<String> calls = new ArrayList<>();
        boolean throwsUnexpectedly;
        Collected collected = Collected.REPORTED;

        @Override
        public Capability capability() {
            return new Capability("a test", Set.of(), false, "nothing");
        }

        @Override
        public long start(List<AddressRange> ranges, long pageSizeHint) {
            calls.add("start " + ranges);
            return pageSizeHint;
        }

        @Override
        public Collected collect(AddressRange range, DirtyBitmap into) {
            calls.add("collect " + range);
            if (throwsUnexpectedly) {
                throw new IllegalStateException("the tracker broke");
            }
            dirty.forEach(into::mark);
            dirty.clear();
            if (!collected.reported()) {
                into.mark(range);
            }
            return collected;
        }

        @Override
        public void stop() {
            calls.add("stop");
        }

        @Override
        public void close() {}
    }

    private static final class Frame {
        final byte[] table;
        final byte[] pages;

        Frame(byte[] table, byte[] pages) {
            this.table = table;
            this.pages = pages;
        }

        ByteBuffer view() {
            return ByteBuffer.wrap(table).order(ByteOrder.LITTLE_ENDIAN);
        }

        /** Each run as text. */
        List<String> runs() {
            PageTable.Reader reader = new PageTable.Reader();
            reader.begin(view());
            List<String> runs = new ArrayList<>();
            try {
                while (reader.next()) {
                    runs.add((reader.isPresent() ? "pages " : "zero ") + reader.first() + "+" + reader.count());
                }
            } catch (StreamException e) {
                throw new AssertionError(e);
            }
            return runs;
        }
    }

    /** Keeps what is sent. */
    private static final class Sent implements StateOutput, AutoCloseable {
        final List<Frame> frames = new ArrayList<>();
        final List<String> notices = new ArrayList<>();
        private final BufferPool pool;

        Sent(int chunk) {
            pool = new BufferPool(LibC.system(), 1, chunk, false);
        }

        @Override
        public PooledBuffer acquire() {
            return Objects.requireNonNull(pool.tryAcquire(), "one buffer at a time");
        }

        @Override
        public void giveBack(PooledBuffer unused) {
            pool.release(unused);
        }

        @Override
        public void send(PooledBuffer chunk) {
            throw new IllegalStateException("memory sends pages");
        }

        @Override
        public void sendExtra(ByteBuffer extra) {
            throw new IllegalStateException("there is nothing beside the pages");
        }

        @Override
        public void sendPages(PooledBuffer table, List<MemorySegment> pages) {
            byte[] runs = new byte[table.length()];
            table.view(PooledBuffer.HEAD_ROOM, PooledBuffer.HEAD_ROOM + runs.length)
                    .get(runs);
            byte[] bytes = new byte
                    [(int) pages.stream().mapToLong(MemorySegment::byteSize).sum()];
            int at = 0;
            for (MemorySegment each : pages) {
                MemorySegment.copy(each, JAVA_BYTE, 0, bytes, at, (int) each.byteSize());
                at += (int) each.byteSize();
            }
            frames.add(new Frame(runs, bytes));
            pool.release(table);
        }

        @Override
        public void notice(String text) {
            notices.add(text);
        }

        List<String> runs() {
            return frames.stream().flatMap(frame -> frame.runs().stream()).toList();
        }

        @Override
        public void close() {
            pool.close();
        }
    }

    @AfterEach
    void close() {
        source.cleanup();
        destination.cleanup();
        sent.close();
    }

    private static AddressRange range(long page, long count) {
        return new AddressRange(BASE + page * PAGE, count * PAGE);
    }

    private void write(long first, long count) {
        for (long page = first; page < first + count; page++) {
            memory.set(JAVA_INT, page * PAGE + 64, (int) page + 1);
        }
    }

    private void sendAll() throws IOException {
        boolean more = source.iterate(sent);
        while (more) {
            more = source.iterate(sent);
        }
    }

    private void load(Frame frame) throws IOException {
        int at = 0;
        for (MemorySegment place : destination.placePages(frame.view())) {
            MemorySegment.copy(frame.pages, at, place, JAVA_BYTE, 0, (int) place.byteSize());
            at += (int) place.byteSize();
        }
        assertThat(at).isEqualTo(frame.pages.length);
        destination.loadPages(frame.view());
    }

    private Pending pending(Precision precision, long threshold) throws IOException {
        Pending pending = new Pending();
        source.pending(threshold, precision, pending);
        return pending;
    }

    @Test
    void shouldPackRunsOfPagesAndOfZeroPages() throws Exception {
        write(3, 5);
        write(20, 1);
        write(60, 4);
        source.saveSetup();

        sendAll();

        assertThat(sent.runs())
                .containsExactly("zero 0+3", "pages 3+5", "zero 8+12", "pages 20+1", "zero 21+39", "pages 60+4");
        assertThat(sent.frames)
                .singleElement()
                .satisfies(frame -> assertThat(frame.pages).hasSize(10 * PAGE));
    }

    @Test
    void shouldSendNoMorePagesInAFrameThanAChunkHolds() throws Exception {
        write(0, 64);
        sent.close();
        sent = new Sent(16 << 10);
        source.saveSetup();

        sendAll();

        assertThat(sent.frames)
                .hasSize(16)
                .allSatisfy(frame -> assertThat(frame.pages).hasSize(4 * PAGE));
    }

    @Test
    void shouldSendWhatATableOfTheSmallestChunkHolds() throws Exception {
        for (int page = 0; page < 64; page += 2) {
            write(page, 1);
        }
        sent.close();
        sent = new Sent(4096);
        source.saveSetup();
        destination.loadSetup();

        sendAll();
        for (Frame frame : sent.frames) {
            load(frame);
        }

        destination.loadFinish();
        assertThat(loaded.mismatch(memory)).isEqualTo(NONE);
    }

    @Test
    void shouldSendAnewOnlyWhatBecameDirty() throws Exception {
        write(0, 64);
        source.saveSetup();
        sendAll();
        sent.frames.clear();
        assertThat(pending(Precision.ESTIMATE, 0).preCopyBytes()).isZero();

        tracker.dirty.add(range(5, 2));
        tracker.dirty.add(range(63, 1));
        assertThat(pending(Precision.ESTIMATE, 0).preCopyBytes())
                .as("not asked yet")
                .isZero();
        assertThat(pending(Precision.EXACT, 0).preCopyBytes()).isEqualTo(3 * PAGE);
        sendAll();

        assertThat(sent.runs()).containsExactly("pages 5+2", "pages 63+1");
        assertThat(pending(Precision.ESTIMATE, 0).preCopyBytes()).isZero();
    }

    @Test
    void shouldAskTheTrackerOnlyNearTheThreshold() throws Exception {
        source.saveSetup();

        assertThat(pending(Precision.EXACT, 63 * PAGE).preCopyBytes()).isEqualTo(64 * PAGE);
        assertThat(tracker.calls).containsExactly("start [0x100000000-0x10003ffff]");
        assertThat(pending(Precision.EXACT, 64 * PAGE).preCopyBytes()).isEqualTo(64 * PAGE);
        assertThat(tracker.calls).hasSize(2).last().isEqualTo("collect 0x100000000-0x10003ffff");
    }

    @Test
    void shouldTellNoRateFromATimeThatIsTooShort() throws Exception {
        AtomicLong nanos = new AtomicLong();
        GuestMemory watched = new GuestMemory(List.of(Region.of("ram", BASE, memory)), tracker, nanos::get);
        GuestMemoryHandler handler = watched.handler("ram");
        handler.saveSetup();
        while (handler.iterate(sent)) {
            sent.frames.clear();
        }
        long[] microseconds = {10_000, 10_001, 20_000, 20_000};
        int[] dirtied = {10, 1, 19, 0};
        List<Long> rates = new ArrayList<>();
        for (int i = 0; i < dirtied.length; i++) {
            nanos.set(microseconds[i] * 1_000);
            if (dirtied[i] > 0) {
                tracker.dirty.add(range(i * 12L, dirtied[i]));
            }
            handler.pending(Long.MAX_VALUE, Precision.EXACT, new Pending());
            rates.add(watched.statistics(List.of(handler)).dirtyBytesPerSecond());
        }
        handler.cleanup();

        long page = PAGE * 100L;
        assertThat(rates).containsExactly(10 * page, 10 * page, 20 * page, 20 * page);
    }

    @Test
    void shouldCollectForTheLastTimeWhenAllIsStopped() throws Exception {
        write(0, 64);
        source.saveSetup();
        sendAll();
        sent.frames.clear();
        source.quiesce();
        pending(Precision.FINAL, Long.MAX_VALUE);
        // A device that was only kept from peer-to-peer DMA may write until it is stopped.
        tracker.dirty.add(range(9, 1));
        source.stop();

        source.complete(sent);

        assertThat(sent.runs()).containsExactly("pages 9+1");
    }

    @Test
    void shouldStopTheTrackerInTheEndHoweverManySharesThereAre() throws Exception {
        GuestMemory shared = new GuestMemory(List.of(Region.of("ram", BASE, memory)), tracker);
        List<GuestMemoryHandler> shares = shared.handlers("ram", 3);
        for (GuestMemoryHandler share : shares) {
            share.saveSetup();
        }
        assertThat(tracker.calls).containsExactly("start [0x100000000-0x10003ffff]");

        shares.get(1).cleanup();
        shares.get(0).cleanup();
        assertThat(tracker.calls).hasSize(1);
        shares.get(2).cleanup();
        assertThat(tracker.calls).hasSize(2).last().isEqualTo("stop");
        shares.get(2).cleanup();
        assertThat(tracker.calls).hasSize(2);
    }

    @Test
    void shouldSendEachPageInOneShareAndCollectOnceForAll() throws Exception {
        write(0, 64);
        GuestMemory shared = new GuestMemory(List.of(Region.of("ram", BASE, memory)), tracker, () -> 0);
        List<GuestMemoryHandler> shares = shared.handlers("ram", 3);
        List<List<String>> runs = new ArrayList<>();
        for (GuestMemoryHandler share : shares) {
            share.saveSetup();
            assertThat(share.iterate(sent)).isTrue();
            assertThat(share.iterate(sent)).isFalse();
            runs.add(sent.runs());
            sent.frames.clear();
        }
        assertThat(runs).containsExactly(List.of("pages 0+21"), List.of("pages 21+21"), List.of("pages 42+22"));

        tracker.dirty.add(range(20, 3));
        for (GuestMemoryHandler share : shares) {
            share.complete(sent);
        }
        assertThat(sent.runs()).containsExactly("pages 20+1", "pages 21+2");
        assertThat(tracker.calls).filteredOn(call -> call.startsWith("collect")).hasSize(1);
        shares.forEach(GuestMemoryHandler::cleanup);
        assertThat(shared.statistics(shares).resentBytes()).isEqualTo(3 * PAGE);
    }

    @Test
    void shouldCallEverythingDirtyFromThenOnWhenTheTrackerFails() throws Exception {
        write(0, 64);
        source.saveSetup();
        sendAll();
        sent.frames.clear();
        tracker.throwsUnexpectedly = true;

        for (int round = 0; round < 2; round++) {
            assertThat(pending(Precision.EXACT, Long.MAX_VALUE).preCopyBytes()).isEqualTo(64 * PAGE);
            sendAll();
            assertThat(sent.runs()).containsExactly("pages 0+64");
            sent.frames.clear();
        }
        assertThat(sent.notices)
                .containsExactly("the tracker of dirty pages has failed (the tracker broke): from here on everything "
                        + "counts as dirty, each time");
        assertThat(tracker.calls).filteredOn(call -> call.startsWith("collect")).hasSize(1);
        source.complete(sent);
        assertThat(sent.runs()).containsExactly("pages 0+64");
    }

    @Test
    void shouldHoldTheSwitchoverBackWhenTheTrackerFailsAtTheLastLook() throws Exception {
        write(0, 64);
        source.saveSetup();
        sendAll();
        source.quiesce();
        tracker.throwsUnexpectedly = true;

        assertThat(pending(Precision.FINAL, Long.MAX_VALUE).requiredBytes()).isEqualTo(64 * PAGE);

        source.unquiesce();
        sendAll();
        source.quiesce();
        Pending foreseen = pending(Precision.FINAL, Long.MAX_VALUE);
        assertThat(foreseen.requiredBytes()).isZero();
        assertThat(foreseen.preCopyBytes()).isEqualTo(64 * PAGE);
    }

    @Test
    void shouldNotSendEverythingWhenTheTrackerFailsAndAllIsStopped() throws Exception {
        write(0, 64);
        source.saveSetup();
        sendAll();
        sent.frames.clear();
        source.quiesce();
        pending(Precision.FINAL, Long.MAX_VALUE);
        source.stop();
        tracker.throwsUnexpectedly = true;

        assertThatThrownBy(() -> source.complete(sent))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith("nobody knows any more which pages are dirty");
        assertThat(sent.frames).isEmpty();
    }

    @Test
    void shouldSayOnceThatATrackerCouldNotReport() throws Exception {
        write(0, 64);
        source.saveSetup();
        tracker.collected = new Collected("the log was lost: everything counts as dirty");
        for (int round = 0; round < 3; round++) {
            sendAll();
            assertThat(pending(Precision.EXACT, Long.MAX_VALUE).preCopyBytes()).isEqualTo(64 * PAGE);
        }
        sendAll();

        assertThat(sent.notices).containsExactly("the log was lost: everything counts as dirty");
    }

    @Test
    void shouldSendReadOnlyRegionsOnceAndNotWatchThem() throws Exception {
        MemorySegment rom = pages(2);
        rom.set(JAVA_BYTE, 0, (byte) 1);
        GuestMemoryHandler handler = new GuestMemory(
                        List.of(Region.of("rom", 0, rom).withReadOnly(), Region.of("ram", BASE, memory)), tracker)
                .handler("ram");
        handler.saveSetup();
        assertThat(tracker.calls).containsExactly("start [0x100000000-0x10003ffff]");
        handler.iterate(sent);
        assertThat(sent.runs()).containsExactly("pages 0+1", "zero 1+1", "zero 0+64");
        sent.frames.clear();

        handler.complete(sent);
        assertThat(sent.frames).isEmpty();
        handler.cleanup();
    }

    @Test
    void shouldLoadInAnyCutWhatRandomWritersLeave() throws Exception {
        Random random = seed.random();
        for (int migration = 0; migration < 20; migration++) {
            sent.close();
            sent = new Sent(4096 << random.nextInt(5));
            source.saveSetup();
            destination.loadSetup();
            for (int round = 0; round < 5; round++) {
                for (int i = random.nextInt(20); i > 0; i--) {
                    long page = random.nextInt(64);
                    memory.asSlice(page * PAGE, PAGE).fill((byte) random.nextInt(2));
                    tracker.dirty.add(range(page, 1));
                }
                pending(Precision.EXACT, Long.MAX_VALUE);
                for (int i = random.nextInt(6); i > 0; i--) {
                    source.iterate(sent);
                }
            }
            source.complete(sent);
            for (Frame frame : sent.frames) {
                load(frame);
            }
            destination.loadFinish();
            assertThat(loaded.mismatch(memory))
                    .as("migration %s, %s", migration, seed)
                    .isEqualTo(NONE);
            source.cleanup();
            destination.cleanup();
        }
    }

    @Test
    void shouldRefuseInTheEndWhatNeverCame() throws Exception {
        write(0, 64);
        sent.close();
        sent = new Sent(16 << 10);
        source.saveSetup();
        destination.loadSetup();
        sendAll();
        sent.frames.remove(3);
        for (Frame frame : sent.frames) {
            load(frame);
        }

        assertThatThrownBy(destination::loadFinish)
                .isInstanceOf(StreamException.class)
                .hasMessage("ram: page 12 of region ram (guest address 0x10000c000) was never sent; 4 pages in all");
    }

    @Test
    void shouldRefuseInTheEndAPageThatIsTornAndNotOneThatCameAgain() throws Exception {
        write(0, 64);
        source.saveSetup();
        destination.loadSetup();
        sendAll();
        Frame torn = sent.frames.getFirst();
        torn.pages[5 * PAGE + 17] ^= 1;
        load(torn);
        assertThatThrownBy(destination::loadFinish)
                .hasMessage("ram: page 5 of region ram (guest address 0x100005000) did not come as it was sent: its "
                        + "checksum is wrong, and it was not sent again");

        tracker.dirty.add(range(5, 1));
        sent.frames.clear();
        source.complete(sent);
        load(sent.frames.getFirst());
        destination.loadFinish();
        assertThat(loaded.mismatch(memory)).isEqualTo(NONE);
    }

    @Test
    void shouldTakeAZeroRunForATornPage() throws Exception {
        write(0, 64);
        source.saveSetup();
        destination.loadSetup();
        sendAll();
        Frame torn = sent.frames.getFirst();
        torn.pages[5 * PAGE + 17] ^= 1;
        load(torn);
        memory.asSlice(5 * PAGE, PAGE).fill((byte) 0);
        tracker.dirty.add(range(5, 1));
        sent.frames.clear();
        source.complete(sent);
        assertThat(sent.runs()).containsExactly("zero 5+1");

        load(sent.frames.getFirst());

        destination.loadFinish();
        assertThat(loaded.mismatch(memory)).isEqualTo(NONE);
    }

    /** The receiving thread is ahead of the one that checks. */
    @Test
    void shouldCheckAFrameWhenLaterOnesAreInPlaceAlready() throws Exception {
        write(0, 64);
        source.saveSetup();
        destination.loadSetup();
        sendAll();
        memory.asSlice(0, 8L * PAGE).fill((byte) 0);
        write(8, 1);
        memory.set(JAVA_INT, 8 * PAGE, 99);
        tracker.dirty.add(range(0, 9));
        source.complete(sent);
        assertThat(sent.frames).hasSize(2);

        for (Frame frame : sent.frames) {
            int at = 0;
            for (MemorySegment place : destination.placePages(frame.view())) {
                MemorySegment.copy(frame.pages, at, place, JAVA_BYTE, 0, (int) place.byteSize());
                at += (int) place.byteSize();
            }
        }
        for (Frame frame : sent.frames) {
            destination.loadPages(frame.view());
        }

        destination.loadFinish();
        assertThat(loaded.mismatch(memory)).isEqualTo(NONE);
    }

    @Test
    void shouldNotWriteZerosWhereThereAreSomeAlready() throws Exception {
        write(5, 1);
        GuestMemoryHandler careful = handler(memory.asReadOnly(), new Tracker());
        careful.loadSetup();

        careful.placePages(ByteBuffer.wrap(table(0, 2, 6, 58, 0)).order(ByteOrder.LITTLE_ENDIAN));
        assertThatThrownBy(() ->
                        careful.placePages(ByteBuffer.wrap(table(0, 2, 5, 1, 0)).order(ByteOrder.LITTLE_ENDIAN)))
                .as("here it has to write")
                .isInstanceOf(IllegalArgumentException.class);
    }

    private static byte[] table(int region, int kind, long first, int count, int checksums) {
        ByteBuffer table = ByteBuffer.allocate(24 + 4 * checksums).order(ByteOrder.LITTLE_ENDIAN);
        return table.putInt(region).putInt(kind).putLong(first).putInt(count).array();
    }

    @Test
    void shouldRefuseTablesThatDoNotBelongHereBeforeAnythingIsWritten() throws Exception {
        destination.loadSetup();
        loaded.fill((byte) 7);
        List<byte[]> tables = List.of(
                table(1, 1, 0, 1, 1),
                table(-1, 2, 0, 1, 0),
                table(0, 1, 64, 1, 1),
                table(0, 1, 63, 2, 2),
                table(0, 2, 63, 2, 0),
                table(0, 2, Long.MAX_VALUE, 1, 0),
                table(0, 2, -1, 1, 0),
                table(0, 2, 0, 0, 0),
                table(0, 2, 0, -1, 0),
                table(0, 1, 0, 2, 1),
                table(0, 1, 0, Integer.MAX_VALUE, 1),
                table(0, 0, 0, 1, 0),
                table(0, 3, 0, 1, 0),
                new byte[23]);
        for (byte[] bad : tables) {
            byte[] good = table(0, 2, 0, 4, 0);
            ByteBuffer both = ByteBuffer.allocate(good.length + bad.length)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .put(good)
                    .put(bad)
                    .flip();
            assertThatThrownBy(() -> destination.placePages(both)).isInstanceOf(StreamException.class);
        }
        assertThat(loaded.get(JAVA_BYTE, 0)).isEqualTo((byte) 7);
    }

    @Test
    void shouldRefusePagesOfAnotherShare() throws Exception {
        GuestMemoryHandler second = new GuestMemory(List.of(Region.of("ram", BASE, loaded)))
                .handlers("ram", 2)
                .get(1);
        second.loadSetup();

        assertThatThrownBy(() ->
                        second.placePages(ByteBuffer.wrap(table(0, 2, 31, 2, 0)).order(ByteOrder.LITTLE_ENDIAN)))
                .hasMessage("ram1: the source sent 2 pages from page 31 of region number 0, which this handler does "
                        + "not have");
    }

    @Test
    void shouldFindZeroPagesOnly() {
        assertThat(ZeroPages.isZero(memory, 0)).isTrue();
        for (int at : new int[] {0, 1, 7, 8, 2048, 4088, 4095}) {
            memory.set(JAVA_BYTE, PAGE + at, (byte) 1);
            assertThat(ZeroPages.isZero(memory, PAGE)).as("byte %s", at).isFalse();
            memory.set(JAVA_BYTE, PAGE + at, (byte) 0);
        }
        memory.set(JAVA_BYTE, 2 * PAGE, (byte) 1);
        memory.set(JAVA_BYTE, PAGE - 1, (byte) 1);
        assertThat(ZeroPages.isZero(memory, PAGE))
                .as("its neighbours do not count")
                .isTrue();
    }

    @Test
    void shouldCountZeroPagesUpToTheFirstOther() {
        assertThat(ZeroPages.leading(memory, 0, 64)).isEqualTo(64);
        assertThat(ZeroPages.leading(memory, 63 * PAGE, 1)).isOne();
        assertThat(ZeroPages.leading(memory, 0, 0)).isZero();
        for (int page : new int[] {0, 1, 15, 16, 17, 31, 32, 63}) {
            for (int at : new int[] {0, 9, 4095}) {
                memory.set(JAVA_BYTE, page * PAGE + at, (byte) 1);
                assertThat(ZeroPages.leading(memory, 0, 64)).as("page %s", page).isEqualTo(page);
                assertThat(ZeroPages.leading(memory, 0, page)).isEqualTo(page);
                memory.set(JAVA_BYTE, page * PAGE + at, (byte) 0);
            }
        }
    }
}
