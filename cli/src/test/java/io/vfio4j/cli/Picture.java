// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.cli;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.InflaterInputStream;

/**
 * The pixels of a screenshot: a PNG of eight bits a channel that is not interlaced. Read here, since the command's
 * module, which the tests are compiled as a part of, does not read {@code java.desktop}.
 */
final class Picture {
    private static final int SIGNATURE_BYTES = 8;
    private static final int CRC_BYTES = 4;
    private static final int WITH_ALPHA = 6;

    private final int channels;
    private final byte[][] rows;

    private Picture(int channels, byte[][] rows) {
        this.channels = channels;
        this.rows = rows;
    }

    static Picture read(Path png) throws IOException {
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        int width = 0;
        int height = 0;
        int channels = 0;
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(Files.readAllBytes(png)))) {
            in.skipNBytes(SIGNATURE_BYTES);
            String chunk = "";
            while (!chunk.equals("IEND")) {
                byte[] data = new byte[in.readInt()];
                chunk = new String(in.readNBytes(4), StandardCharsets.US_ASCII);
                in.readFully(data);
                in.skipNBytes(CRC_BYTES);
                if (chunk.equals("IDAT")) {
                    packed.write(data);
                } else if (chunk.equals("IHDR")) {
                    DataInputStream head = new DataInputStream(new ByteArrayInputStream(data));
                    width = head.readInt();
                    height = head.readInt();
                    head.readByte();
                    channels = head.readByte() == WITH_ALPHA ? 4 : 3;
                }
            }
        }
        byte[][] rows = new byte[height][];
        try (DataInputStream in =
                new DataInputStream(new InflaterInputStream(new ByteArrayInputStream(packed.toByteArray())))) {
            byte[] above = new byte[width * channels];
            for (int y = 0; y < height; y++) {
                int filter = in.readByte();
                byte[] row = in.readNBytes(above.length);
                unfilter(filter, row, above, channels);
                rows[y] = row;
                above = row;
            }
        }
        return new Picture(channels, rows);
    }

    /** Adds to each byte what the filter predicts from its neighbours at the left, above, and above at the left. */
    private static void unfilter(int filter, byte[] row, byte[] above, int channels) {
        for (int i = 0; i < row.length; i++) {
            int left = i < channels ? 0 : row[i - channels] & 0xff;
            int corner = i < channels ? 0 : above[i - channels] & 0xff;
            int up = above[i] & 0xff;
            int predicted = switch (filter) {
                case 1 -> left;
                case 2 -> up;
                case 3 -> (left + up) / 2;
                case 4 -> nearest(left, up, corner);
                default -> 0;
            };
            row[i] = (byte) (row[i] + predicted);
        }
    }

    private static int nearest(int left, int up, int corner) {
        int estimate = left + up - corner;
        int toLeft = Math.abs(estimate - left);
        int toUp = Math.abs(estimate - up);
        int toCorner = Math.abs(estimate - corner);
        if (toLeft <= toUp && toLeft <= toCorner) {
            return left;
        }
        return toUp <= toCorner ? up : corner;
    }

    /** The colour of a pixel: red, green and blue, a byte each. */
    int rgb(int x, int y) {
        byte[] row = rows[y];
        int at = x * channels;
        return (row[at] & 0xff) << 16 | (row[at + 1] & 0xff) << 8 | (row[at + 2] & 0xff);
    }
}
