// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

import java.util.LinkedHashMap;
import java.util.Map;

/** Says how two sides' regions differ, by their texts: {@code name@address+size:ro,...}, numbers in hexadecimal. */
final class RegionTexts {
    private static final long MIB = 1L << 20;
    private static final long KIB = 1L << 10;
    private static final int HEX = 16;

    private RegionTexts() {}

    /** A region, as far as the other side has to have the same. */
    private record Shape(int number, String address, String size, boolean readOnly) {}

    /** The first difference between two texts that are not equal; the source's is a peer's, and may be anything. */
    static String difference(String source, String here) {
        Map<String, Shape> ours = parse(here);
        Map<String, Shape> theirs;
        try {
            theirs = parse(source);
        } catch (IllegalArgumentException e) {
            return "the source's list of regions makes no sense";
        }
        for (Map.Entry<String, Shape> entry : theirs.entrySet()) {
            String name = "region " + entry.getKey();
            Shape there = entry.getValue();
            Shape own = ours.get(entry.getKey());
            if (own == null) {
                return name + " of " + size(there) + " at the source is missing here";
            }
            if (!there.size.equals(own.size)) {
                return name + " is " + size(there) + " at the source, " + size(own) + " here";
            }
            if (!there.address.equals(own.address)) {
                return name + " is at guest address 0x" + there.address + " at the source, 0x" + own.address + " here";
            }
            if (there.readOnly != own.readOnly) {
                return name + " is read-only at " + (there.readOnly ? "the source only" : "this side only");
            }
            if (there.number != own.number) {
                return name + " is number " + there.number + " at the source, " + own.number
                        + " here; list them in the same order";
            }
        }
        return ours.entrySet().stream()
                .filter(entry -> !theirs.containsKey(entry.getKey()))
                .map(entry ->
                        "region " + entry.getKey() + " of " + size(entry.getValue()) + " here is missing at the source")
                .findFirst()
                .orElse("the source's list of regions makes no sense");
    }

    private static Map<String, Shape> parse(String text) {
        Map<String, Shape> shapes = new LinkedHashMap<>();
        for (String each : text.split(",", -1)) {
            int at = each.indexOf('@');
            int plus = each.indexOf('+', at + 1);
            if (at < 1 || plus < 0) {
                throw new IllegalArgumentException(each);
            }
            int colon = each.indexOf(':', plus);
            String size = each.substring(plus + 1, colon < 0 ? each.length() : colon);
            Long.parseUnsignedLong(size, HEX);
            shapes.put(each.substring(0, at), new Shape(shapes.size(), each.substring(at + 1, plus), size, colon >= 0));
        }
        return shapes;
    }

    private static String size(Shape shape) {
        long bytes = Long.parseUnsignedLong(shape.size, HEX);
        if (bytes % MIB == 0) {
            return bytes / MIB + " MiB";
        }
        return bytes % KIB == 0 ? bytes / KIB + " KiB" : bytes + " bytes";
    }
}
