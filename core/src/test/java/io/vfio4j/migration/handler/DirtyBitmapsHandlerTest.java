// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vfio4j.migration.Passage;
import io.vfio4j.migration.Pending;
import io.vfio4j.migration.StateHandler.Precision;
import io.vfio4j.migration.handler.DirtyBitmapsHandler.When;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

class DirtyBitmapsHandlerTest {
    private static final long LENGTH = 1 << 20;
    private static final int GRANULARITY = 4096;
    private static final int CHUNK = 4096;

    private final DiskBitmaps here = new DiskBitmaps(Map.of("disk", LENGTH));
    private final DiskBitmaps there = new DiskBitmaps(Map.of("disk", LENGTH));
    private final DirtyBitmapsHandler from = new DirtyBitmapsHandler("bitmaps", here);
    private final DirtyBitmapsHandler to = new DirtyBitmapsHandler("bitmaps", there);

    private static DiskBitmap bitmap(String name) {
        return new DiskBitmap("disk", name, new BlockBitmap(LENGTH, GRANULARITY), true, true);
    }

    private static DiskBitmap only(DiskBitmaps bitmaps) {
        assertThat(bitmaps.list()).hasSize(1);
        return bitmaps.list().getFirst();
    }

    private static String marks(DiskBitmaps bitmaps) {
        return DirtyBitmapsContractTest.bitsOf(only(bitmaps).bits());
    }

    @Test
    void shouldMarkWritesOfTheDestinationWhileTheSourcesMarksAreOnTheirWay() throws IOException {
        here.add(bitmap("backup"));
        here.mark("disk", 0, 10_000);

        try (Passage passage = Passage.into(to, CHUNK)) {
            to.loadSetup();
            from.saveSetup();
            from.complete(passage);
            assertThat(from.hasLater()).isTrue();
            to.loadFinish();
            to.resumeQuiesced();
            to.resume();
            there.mark("disk", 8192, 8192);
            assertThat(marks(there)).isEqualTo("2-4 ");
            assertThat(there.isInconsistent(only(there))).as("not all is there").isTrue();
            from.saveLater(passage);
            there.mark("disk", LENGTH - 1, 1);
            to.laterLoaded();
        }

        assertThat(marks(there)).isEqualTo("0-4 255-256 ");
        assertThat(there.isInconsistent(only(there))).isFalse();
        assertThat(marks(here)).as("the source's are left as they are").isEqualTo("0-3 ");
    }

    @Test
    void shouldCallABitmapInconsistentThatLacksMarks() throws IOException {
        here.add(bitmap("backup"));
        here.mark("disk", 0, 1);

        try (Passage passage = Passage.into(to, CHUNK)) {
            to.loadSetup();
            from.saveSetup();
            from.complete(passage);
            to.loadFinish();
            to.resume();
            to.laterLost(new IOException("the network is gone"));
        }
        to.cleanup();

        assertThat(there.isInconsistent(only(there))).isTrue();
        assertThatThrownBy(to::saveSetup)
                .hasMessage("disk: its bitmap backup is inconsistent; remove it, and migrate then");
        there.remove("disk", "backup");
        to.saveSetup();
        assertThat(there.list()).isEmpty();
    }

    @Test
    void shouldMoveWithTheMachineWhenToldTo() throws IOException {
        DirtyBitmapsHandler before = new DirtyBitmapsHandler("bitmaps", here, When.BEFORE_SWITCHOVER);
        here.add(bitmap("backup"));
        here.mark("disk", 0, LENGTH);
        Pending pending = new Pending();
        before.saveSetup();
        before.pending(0, Precision.EXACT, pending);
        assertThat(pending.stoppedBytes()).isPositive();
        assertThat(pending.laterBytes()).isZero();
        assertThat(before.hasLater()).isFalse();

        Passage.allAtOnce(before, to, CHUNK);

        assertThat(marks(there)).isEqualTo("0-256 ");
        assertThat(there.isInconsistent(only(there))).isFalse();
    }

    @Test
    void shouldReplaceABitmapOfTheSameNameAndKeepOthers() throws IOException {
        here.add(bitmap("backup"));
        there.add(bitmap("backup"));
        there.add(bitmap("other"));
        there.mark("disk", 0, LENGTH);

        Passage.allAtOnce(from, to, CHUNK);

        assertThat(there.list()).extracting(DiskBitmap::name).containsExactlyInAnyOrder("backup", "other");
        assertThat(there.list().stream()
                        .filter(bitmap -> bitmap.name().equals("backup"))
                        .map(bitmap -> bitmap.bits().markedBlocks()))
                .containsExactly(0L);
    }

    @Test
    void shouldHaveItsOwnBitmapsBackWhenTheMigrationFails() throws IOException {
        here.add(bitmap("backup"));
        DiskBitmap own = bitmap("backup");
        there.add(own);
        there.mark("disk", 0, 1);
        try (Passage passage = Passage.into(to, CHUNK)) {
            to.loadSetup();
            from.saveSetup();
            from.complete(passage);
            to.loadFinish();
            assertThat(only(there)).isNotSameAs(own);
            to.discard();
        }

        assertThat(only(there)).isSameAs(own);
        assertThat(there.isInconsistent(own)).isFalse();
        assertThat(marks(there)).isEqualTo("0-1 ");
    }

    /** The monitor goes on with its own bitmaps while a migration may still fail. */
    @Test
    void shouldKeepWhatWasAddedAndRemovedInTheMeantimeWhenTheMigrationFails() throws IOException {
        DiskBitmap own = bitmap("backup");
        for (String name : new String[] {"backup", "gone", "fresh"}) {
            here.add(bitmap(name));
        }
        there.add(own);
        there.add(bitmap("old"));
        DiskBitmap added = bitmap("added");
        try (Passage passage = Passage.into(to, CHUNK)) {
            to.loadSetup();
            from.saveSetup();
            from.complete(passage);
            to.loadFinish();
            there.add(added);
            there.remove("disk", "old");
            there.remove("disk", "gone");
            DiskBitmap again = bitmap("gone");
            there.add(again);
            to.discard();

            assertThat(there.list()).containsExactlyInAnyOrder(own, added, again);
        }
        assertThat(there.list()).noneMatch(there::isInconsistent);
    }

    @Test
    void shouldHaveItsOwnBitmapBackAsInconsistentAsItWas() throws IOException {
        here.add(bitmap("backup"));
        try (Passage passage = Passage.into(to, CHUNK)) {
            to.loadSetup();
            from.saveSetup();
            from.complete(passage);
            to.loadFinish();
            to.resume();
            to.laterLost(new IOException("the network is gone"));
            to.cleanup();
            DiskBitmap own = only(there);
            to.loadSetup();
            from.complete(passage);
            to.loadFinish();
            to.discard();

            assertThat(only(there)).isSameAs(own);
            assertThat(there.isInconsistent(own)).isTrue();
        }
    }

    @Test
    void shouldTakeNoMoreThanARunTakesWhenMuchIsMarked() throws IOException {
        here.add(bitmap("backup"));
        here.mark("disk", 0, LENGTH);
        assertThat(Passage.bytesOf(from, CHUNK)).isLessThan(20);

        here.remove("disk", "backup");
        BlockBitmap alternating = new BlockBitmap(LENGTH, 512);
        here.add(new DiskBitmap("disk", "worst", alternating, false, true));
        for (long block = 0; block < alternating.blocks(); block += 2) {
            here.mark("disk", block * 512, 1);
        }
        Pending pending = new Pending();
        from.saveSetup();
        from.pending(0, Precision.FINAL, pending);
        assertThat(pending.laterBytes()).isGreaterThanOrEqualTo(Passage.bytesOf(from, CHUNK));
    }

    private static ByteBuffer table(int count, String disk, String name, long length, int granularity) {
        ByteBuffer table = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN);
        table.putInt(0).putInt(count);
        for (String text : new String[] {disk, name}) {
            table.putShort((short) text.length()).put(text.getBytes(StandardCharsets.US_ASCII));
        }
        return table.putLong(length).putInt(granularity).putInt(3).flip();
    }

    private void refuses(ByteBuffer table, String why) {
        to.loadSetup();
        assertThatThrownBy(() -> to.loadExtra(table))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(why);
        assertThat(there.list()).isEmpty();
    }

    @Test
    void shouldRefuseAListThatDoesNotFitBeforeAnyBitmapIsMade() {
        refuses(table(1, "other", "b", LENGTH, 512), "disk other of 1048576 bytes, which is missing here");
        refuses(table(1, "disk", "b", 512, 512), "disk disk of 512 bytes, which has 1048576 here");
        refuses(table(1, "disk", "b", LENGTH, 100), "a granularity is a power of two");
        refuses(table(2, "disk", "b", LENGTH, 512), "too short");
        refuses(table(1, "disk", "", LENGTH, 512), "bitmap  of disk disk");
        refuses(ByteBuffer.allocate(3).order(ByteOrder.LITTLE_ENDIAN), "too short");
    }

    @Test
    void shouldRefuseRunsBeyondTheDiskAndThrowNothingElseForMutatedPieces() throws IOException {
        here.add(bitmap("backup"));
        here.mark("disk", 5000, 100_000);
        here.mark("disk", LENGTH - 1, 1);
        int whole = Passage.bytesOf(from, CHUNK);
        for (int at = 0; at < whole; at++) {
            for (int bit = 0; bit < 8; bit++) {
                try {
                    Passage.altered(from, to, CHUNK, at, 1 << bit);
                } catch (IOException e) {
                    assertThat(e).hasMessageContaining("bitmap");
                }
            }
        }
        for (int cut = 1; cut < 12; cut++) {
            int bytes = cut;
            assertThatThrownBy(() -> Passage.cut(from, to, CHUNK, bytes)).isInstanceOf(IOException.class);
        }
    }

    @Test
    void shouldRefuseBitmapsThatTheDisksCannotHave() {
        assertThatThrownBy(() -> here.add(new DiskBitmap("x", "b", new BlockBitmap(512, 512), true, true)))
                .hasMessage("x: there is no such disk of 512 bytes");
        here.add(bitmap("backup"));
        assertThatThrownBy(() -> here.add(bitmap("backup"))).hasMessage("disk: it has a bitmap backup");
        assertThatThrownBy(() -> new DirtyBitmapsHandler("bitmaps", new DiskBitmaps(Map.of("a disk", 512L))))
                .hasMessageEndingWith("not a disk");
    }
}
