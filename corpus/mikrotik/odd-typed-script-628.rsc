# RouterOS 6.48.2
# typed by hand: values and attributes broken over lines in every way
/interface ethernet
set [ find default-name=ether1 ] name=ether1-gateway
/interface bridge
add name=lan
/interface bridge port
add bridge=lan interface=ether2
/interface pppoe-client
add name=wan add-default-route=yes disabled=no interface=ether1-gateway\
    user=kanari@isp.example \
    password=KANARI-isp
/ip address
add address=192.168.70.1/24 interface=\
    lan network=192.168.70.0
/ip firewall filter
add chain=input connection-state=established,related
add chain=input in-interface=lan
add action=jump chain=input in-interface=wan jump-target=block
add chain=forward connection-state=established,related
add chain=forward in-interface=lan
add action=jump chain=forward in-interface=wan jump-target=block
add chain=block address-list-timeout=10m connection-state=new src-address-list=!block\
    action=add-src-to-address-list address-list=block
add action=drop chain=block
/ip firewall nat
add action=masquerade chain=srcnat out-interface=wan
/ip service
set telnet disabled=yes
set ftp disabled=yes
set www disabled=yes
set api disabled=yes
set api-ssl disabled=yes
/system clock
set time-zone-name=Asia/Tokyo
/system identity
set name=clinic-hand
/system ntp client
set enabled=yes primary-ntp=192.168.70.5
