// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The dirty bitmaps of a machine's disks, as a monitor has them at either side: what it marks its writes in, and what a
 * {@link DirtyBitmapsHandler} moves.
 *
 * <p>Any thread. To mark a write takes no lock; to add and remove bitmaps does.
 */
public final class DiskBitmaps {
    private final Map<String, Long> disks;
    private volatile Snapshot current = new Snapshot(Map.of(), Set.of());

    private record Key(String disk, String name) {
        static Key of(DiskBitmap bitmap) {
            return new Key(bitmap.disk(), bitmap.name());
        }
    }

    /** All bitmaps at a moment, and which of them may lack bits. Never changed once it can be seen. */
    record Snapshot(Map<String, List<DiskBitmap>> byDisk, Set<Key> inconsistent) {
        List<DiskBitmap> list() {
            return byDisk.values().stream().flatMap(List::stream).toList();
        }
    }

    /**
     * Names the disks that there can be bitmaps of.
     *
     * @param disks how long each is, in bytes, by its name
     */
    public DiskBitmaps(Map<String, Long> disks) {
        this.disks = Map.copyOf(disks);
    }

    /**
     * Returns the disks.
     *
     * @return how long each is, in bytes, by its name
     */
    public Map<String, Long> disks() {
        return disks;
    }

    /**
     * Adds a bitmap.
     *
     * @param bitmap the bitmap
     * @throws IllegalArgumentException for a disk that is unknown or has another length, and for a name that the disk
     *     has a bitmap of
     */
    public synchronized void add(DiskBitmap bitmap) {
        Long length = disks.get(bitmap.disk());
        if (length == null || length != bitmap.bits().length()) {
            throw new IllegalArgumentException(bitmap.disk() + ": there is no such disk of "
                    + bitmap.bits().length() + " bytes");
        }
        if (list().stream().anyMatch(other -> Key.of(other).equals(Key.of(bitmap)))) {
            throw new IllegalArgumentException(bitmap.disk() + ": it has a bitmap " + bitmap.name());
        }
        set(Stream.concat(list().stream(), Stream.of(bitmap)), current.inconsistent);
    }

    /**
     * Removes a bitmap, if there is one.
     *
     * @param disk the disk's name
     * @param name the bitmap's
     */
    public synchronized void remove(String disk, String name) {
        Key key = new Key(disk, name);
        Set<Key> inconsistent = new HashSet<>(current.inconsistent);
        inconsistent.remove(key);
        set(list().stream().filter(bitmap -> !Key.of(bitmap).equals(key)), inconsistent);
    }

    /**
     * Returns all bitmaps.
     *
     * @return a snapshot, disk by disk
     */
    public List<DiskBitmap> list() {
        return current.list();
    }

    /**
     * Marks a write in all bitmaps of a disk that are enabled. Without a lock.
     *
     * @param disk the disk's name; one without bitmaps has nothing to mark
     * @param offset the write's first byte
     * @param count how many bytes
     * @throws IndexOutOfBoundsException beyond the disk's end
     */
    public void mark(String disk, long offset, long count) {
        for (DiskBitmap bitmap : current.byDisk.getOrDefault(disk, List.of())) {
            if (bitmap.enabled()) {
                bitmap.bits().mark(offset, count);
            }
        }
    }

    /**
     * Tells whether a bitmap may lack bits, for not all of it came, or not yet: no backup should go by it. One that
     * stays so is of no more use than to be removed, as QEMU and its qcow2 images have it.
     *
     * @param bitmap the bitmap
     * @return true for one that may lack bits
     */
    public boolean isInconsistent(DiskBitmap bitmap) {
        return current.inconsistent.contains(Key.of(bitmap));
    }

    /** All that some bitmaps are to hold is there. */
    synchronized void consistent(List<DiskBitmap> bitmaps) {
        Set<Key> inconsistent = new HashSet<>(current.inconsistent);
        bitmaps.forEach(bitmap -> inconsistent.remove(Key.of(bitmap)));
        set(list().stream(), inconsistent);
    }

    /** Replaces those of the same names, and adds the others; they may lack bits so far. Returns what was before. */
    synchronized Snapshot replace(List<DiskBitmap> bitmaps) {
        Snapshot before = current;
        Set<Key> inconsistent = new HashSet<>(current.inconsistent);
        Map<Key, DiskBitmap> all = new LinkedHashMap<>();
        list().forEach(bitmap -> all.put(Key.of(bitmap), bitmap));
        for (DiskBitmap bitmap : bitmaps) {
            all.put(Key.of(bitmap), bitmap);
            inconsistent.add(Key.of(bitmap));
        }
        set(all.values().stream(), inconsistent);
        return before;
    }

    /** Takes back what {@link #replace} did with some bitmaps, and nothing that the monitor has done since. */
    synchronized void restore(List<DiskBitmap> bitmaps, Snapshot before) {
        Map<Key, DiskBitmap> own = new HashMap<>();
        before.list().forEach(bitmap -> own.put(Key.of(bitmap), bitmap));
        Set<Key> inconsistent = new HashSet<>(current.inconsistent);
        Map<Key, DiskBitmap> all = new LinkedHashMap<>();
        list().forEach(bitmap -> all.put(Key.of(bitmap), bitmap));
        for (DiskBitmap bitmap : bitmaps) {
            Key key = Key.of(bitmap);
            if (bitmap.equals(all.get(key))) {
                all.computeIfPresent(key, (same, loaded) -> own.get(same));
                inconsistent.remove(key);
                if (before.inconsistent.contains(key)) {
                    inconsistent.add(key);
                }
            }
        }
        set(all.values().stream(), inconsistent);
    }

    private void set(Stream<DiskBitmap> bitmaps, Set<Key> inconsistent) {
        current = new Snapshot(
                bitmaps.collect(Collectors.groupingBy(DiskBitmap::disk, TreeMap::new, Collectors.toList())),
                inconsistent);
    }
}
